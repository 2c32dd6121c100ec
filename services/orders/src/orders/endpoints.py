"""The HTTP interface of orders."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from cartwright_kit import (
    DatabaseUnavailable,
    Page,
    Session,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
    problem_responses,
    resource,
)
from orders.catalog import CatalogClient
from orders.repository import OrderRepository
from orders.schemas import IdempotencyKey, OrderCreate, OrderPublic, OrderQuery, StatusChange
from orders.service import (
    CurrenciesMixed,
    IdempotencyKeyReused,
    OrderNotFound,
    OrderService,
    OutOfStock,
    ProductsUnknown,
    TransitionRefused,
)

router = APIRouter(prefix="/orders", tags=["orders"], responses=problem_responses(DatabaseUnavailable))


async def _service(
    session: Session, catalog: Annotated[CatalogClient, Depends(resource(CatalogClient))]
) -> OrderService:
    return OrderService(OrderRepository(session), catalog)


Service = Annotated[OrderService, Depends(_service)]


@router.post(
    "",
    status_code=201,
    responses=problem_responses(
        OutOfStock,
        ProductsUnknown,
        CurrenciesMixed,
        IdempotencyKeyReused,
        UpstreamFailed,
        UpstreamUnavailable,
        DatabaseUnavailable,
        UpstreamTimeout,
    )
    | {200: {"model": OrderPublic, "description": "Placed by an earlier request with this key"}},
)
async def place_order(
    new: OrderCreate, idempotency_key: IdempotencyKey, service: Service, response: Response
) -> OrderPublic:
    """Place an order at the catalog's present prices."""
    placed = await service.place(new, idempotency_key)
    if placed.repeated:
        response.status_code = 200
    response.headers["Location"] = f"/orders/{placed.order.id}"
    return placed.order


@router.get("")
async def list_orders(parameters: OrderQuery, service: Service) -> Page[OrderPublic]:
    """Orders in the order of their placing, a page at a time."""
    return await service.list_page(parameters)


@router.get("/{order_id}", responses=problem_responses(OrderNotFound))
async def read_order(order_id: uuid.UUID, service: Service) -> OrderPublic:
    """One order."""
    return await service.read(order_id)


@router.put("/{order_id}/status", responses=problem_responses(OrderNotFound, TransitionRefused))
async def change_order_status(order_id: uuid.UUID, change: StatusChange, service: Service) -> OrderPublic:
    """Bring an order into a state: placed → paid → shipped, and cancelled until it is shipped."""
    return await service.change_status(order_id, change.status)
