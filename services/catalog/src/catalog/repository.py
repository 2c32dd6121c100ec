"""Every query of catalog."""

import uuid
from collections.abc import Sequence

from sqlalchemy import Delete, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from cartwright_kit import PageParameters, page_statement
from catalog.models import OrderStock, ProcessedEvent, Product
from catalog.schemas import MAX_STOCK, ProductCreate, ProductUpdate

_REMEMBERED = "30 days"
_FORGOTTEN_AT_ONCE = 10


class ProductRepository:
    """Products in the database of this session. Nothing is committed here."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, new: ProductCreate) -> Product | None:
        """Store a product. None if its SKU is taken."""
        statement = (
            insert(Product)
            .values(
                sku=new.sku,
                name=new.name,
                description=new.description,
                price_amount=new.price.amount,
                price_currency=new.price.currency,
                stock=new.stock,
            )
            .on_conflict_do_nothing(index_elements=[Product.sku])
            .returning(Product)
        )
        return await self._session.scalar(statement)

    async def get(self, product_id: uuid.UUID) -> Product | None:
        """The product with this id."""
        return await self._session.get(Product, product_id)

    async def list_page(self, parameters: PageParameters) -> Sequence[Product]:
        """One page of products and, if there are more, one product of the next."""
        statement = page_statement(select(Product), parameters, created_at=Product.created_at, identifier=Product.id)
        return (await self._session.scalars(statement)).all()

    async def update(self, product_id: uuid.UUID, changes: ProductUpdate) -> Product | None:
        """Change the fields that `changes` sets, in one statement. None if there is no such product."""
        given = changes.model_dump(exclude_unset=True)
        if (price := given.pop("price", None)) is not None:
            given |= {"price_amount": price["amount"], "price_currency": price["currency"]}
        if not given:
            return await self.get(product_id)
        return await self._session.scalar(
            update(Product)
            .where(Product.id == product_id)
            .values(**given, updated_at=func.now())
            .returning(Product)
            .execution_options(populate_existing=True)
        )

    async def adjust_stock(self, product_id: uuid.UUID, delta: int) -> Product | None:
        """Add `delta` to the stock, in one statement. None if no such product exists or the sum is out of range."""
        return await self._session.scalar(
            update(Product)
            .where(Product.id == product_id, (Product.stock + delta).between(0, MAX_STOCK))
            .values(stock=Product.stock + delta, updated_at=func.now())
            .returning(Product)
            .execution_options(populate_existing=True)
        )


class OrderStockRepository:
    """What orders take from the stock, in the database of this session. Nothing is committed here."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def mark(self, event_id: uuid.UUID) -> bool:
        """Note that this event has its effect now. False if it had it before."""
        await self._session.execute(_forget_old_events())
        marked = await self._session.scalar(
            insert(ProcessedEvent).values(id=event_id).on_conflict_do_nothing().returning(ProcessedEvent.id)
        )
        return marked is not None

    async def take(self, order_id: uuid.UUID, product_id: uuid.UUID, quantity: int) -> int | None:
        """Take pieces for an order: as many as there are, if there are fewer. Returns how many.

        None if no such product exists.
        """
        stock = await self._session.scalar(select(Product.stock).where(Product.id == product_id).with_for_update())
        if stock is None:
            return None
        taken = min(stock, quantity)
        await self._session.execute(
            update(Product).where(Product.id == product_id).values(stock=stock - taken, updated_at=func.now())
        )
        await self._session.execute(insert(OrderStock).values(order_id=order_id, product_id=product_id, quantity=taken))
        return taken

    async def give_back(self, order_id: uuid.UUID) -> None:
        """Return to the stock what the order had taken; nothing, if it had taken nothing."""
        taken = await self._session.execute(
            delete(OrderStock)
            .where(OrderStock.order_id == order_id)
            .returning(OrderStock.product_id, OrderStock.quantity)
        )
        for product_id, quantity in sorted(taken.all()):
            await self._session.execute(
                update(Product)
                .where(Product.id == product_id)
                .values(stock=Product.stock + quantity, updated_at=func.now())
            )


def _forget_old_events() -> Delete:
    """A few of those that are so old that no delivery of them is left anywhere: the table stops growing."""
    old = (
        select(ProcessedEvent.id)
        .where(ProcessedEvent.processed_at < func.now() - text(f"interval '{_REMEMBERED}'"))
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return delete(ProcessedEvent).where(ProcessedEvent.id.in_(old))
