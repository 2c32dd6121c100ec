"""What orders does, apart from HTTP and SQL."""

import hashlib
import uuid
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import JsonValue

from cartwright_kit import Page, Problem, make_page
from orders.catalog import CatalogClient, CatalogProduct
from orders.models import Order, OrderStatus
from orders.repository import OrderRepository
from orders.schemas import OrderCreate, OrderFilter, OrderPublic


class OrderNotFound(Problem):
    """No order has this id."""

    status = HTTPStatus.NOT_FOUND
    slug = "order-not-found"
    title = "Order not found"


class ProductsUnknown(Problem):
    """The order names products that catalog does not have."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "products-unknown"
    title = "Products unknown"


class CurrenciesMixed(Problem):
    """The products of one order are priced in several currencies."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "currencies-mixed"
    title = "Currencies mixed"


class OutOfStock(Problem):
    """Catalog has fewer pieces of a product than the order asks for."""

    status = HTTPStatus.CONFLICT
    slug = "out-of-stock"
    title = "Out of stock"


class IdempotencyKeyReused(Problem):
    """The key was used before, for another request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "idempotency-key-reused"
    title = "Idempotency key reused"


class TransitionRefused(Problem):
    """An order in this state cannot get into that one."""

    status = HTTPStatus.CONFLICT
    slug = "transition-refused"
    title = "Transition refused"


@dataclass(frozen=True)
class Placed:
    """The outcome of placing an order."""

    order: OrderPublic
    repeated: bool
    """True if an earlier request with the same key had placed it."""


class OrderService:
    """The operations on orders. Each raises the problems its docstring names."""

    def __init__(self, orders: OrderRepository, catalog: CatalogClient) -> None:
        self._orders = orders
        self._catalog = catalog

    async def place(self, new: OrderCreate, idempotency_key: str) -> Placed:
        """Place an order at catalog's present prices; once, however often it is repeated with the same key.

        Stock is checked but not reserved: catalog takes the pieces when the order's event reaches it, a moment later.
        Raises ProductsUnknown, CurrenciesMixed, OutOfStock, IdempotencyKeyReused and the upstream problems of catalog.
        """
        digest = hashlib.sha256(new.model_dump_json().encode()).hexdigest()
        if (earlier := await self._orders.get_by_key(new.customer, idempotency_key)) is not None:
            return _repetition(earlier, digest)
        await self._orders.release()  # a slow catalog must not hold connections of the pool
        products = await self._catalog.products(line.product_id for line in new.lines)
        currency = _check_products(new, products)
        lines = [
            {
                "product_id": line.product_id,
                "sku": products[line.product_id].sku,
                "name": products[line.product_id].name,
                "quantity": line.quantity,
                "unit_amount": products[line.product_id].price.amount,
            }
            for line in new.lines
        ]
        order = await self._orders.add(
            {
                "customer": new.customer,
                "idempotency_key": idempotency_key,
                "request_digest": digest,
                "currency": currency,
                "total_amount": sum(products[line.product_id].price.amount * line.quantity for line in new.lines),
            },
            lines,
        )
        if order is not None:
            return Placed(OrderPublic.of(order), repeated=False)
        earlier = await self._orders.get_by_key(new.customer, idempotency_key)
        if earlier is None:
            raise RuntimeError("an idempotency key is taken, yet no order has it")
        return _repetition(earlier, digest)

    async def read(self, order_id: uuid.UUID) -> OrderPublic:
        """One order. Raises OrderNotFound."""
        order = await self._orders.get(order_id)
        if order is None:
            raise _not_found(order_id)
        return OrderPublic.of(order)

    async def list_page(self, parameters: OrderFilter) -> Page[OrderPublic]:
        """A page of orders, oldest first."""
        return make_page(await self._orders.list_page(parameters), parameters, OrderPublic.of)

    async def change_status(self, order_id: uuid.UUID, status: OrderStatus) -> OrderPublic:
        """Bring an order into a state; nothing happens if it is there. Raises OrderNotFound, TransitionRefused."""
        order = await self._orders.lock(order_id)
        if order is None:
            raise _not_found(order_id)
        if status != order.status:
            if status not in order.status.successors:
                possible: list[JsonValue] = [state.value for state in sorted(order.status.successors)]
                raise TransitionRefused(
                    f"An order that is {order.status} cannot become {status}.",
                    extensions={"current": order.status.value, "possible": possible},
                )
            await self._orders.set_status(order, status)
        return OrderPublic.of(order)


def _repetition(earlier: Order, digest: str) -> Placed:
    if earlier.request_digest != digest:
        raise IdempotencyKeyReused("This idempotency key belongs to another order; choose a new one.")
    return Placed(OrderPublic.of(earlier), repeated=True)


def _check_products(new: OrderCreate, products: dict[uuid.UUID, CatalogProduct]) -> str:
    if unknown := [str(line.product_id) for line in new.lines if line.product_id not in products]:
        raise ProductsUnknown(f"Not in the catalog: {', '.join(unknown)}.", extensions={"products": list(unknown)})
    currencies = sorted({products[line.product_id].price.currency for line in new.lines})
    if len(currencies) > 1:
        raise CurrenciesMixed(
            f"One order has one currency; these products have {', '.join(currencies)}.",
            extensions={"currencies": list(currencies)},
        )
    if short := [str(line.product_id) for line in new.lines if products[line.product_id].stock < line.quantity]:
        raise OutOfStock(f"Too few in stock: {', '.join(short)}.", extensions={"products": list(short)})
    return currencies[0]


def _not_found(order_id: uuid.UUID) -> OrderNotFound:
    return OrderNotFound(f"No order has the id {order_id}.")
