"""Every query of orders."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from cartwright_kit import add_event, page_statement
from orders.events import event_data, event_type
from orders.models import Order, OrderLine, OrderStatus, Outbox
from orders.schemas import OrderFilter


class OrderRepository:
    """Orders in the database of this session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def release(self) -> None:
        """End the transaction and give the connection back, before a wait for something else."""
        await self._session.commit()

    async def add(self, order: dict[str, Any], lines: Sequence[dict[str, Any]]) -> Order | None:
        """Store an order with its lines and its event. None if the customer has used the idempotency key.

        Of two that arrive at once with one key, the second waits here for the first and then gets None.
        """
        stored = await self._session.scalar(
            insert(Order)
            .values(**order)
            .on_conflict_do_nothing(index_elements=[Order.customer, Order.idempotency_key])
            .returning(Order.id)
        )
        if stored is None:
            return None
        await self._session.execute(
            insert(OrderLine),
            [{**line, "order_id": stored, "position": position} for position, line in enumerate(lines)],
        )
        placed = await self._session.get_one(Order, stored)
        await self._tell(placed)
        return placed

    async def get(self, order_id: uuid.UUID) -> Order | None:
        """The order with this id."""
        return await self._session.get(Order, order_id)

    async def get_by_key(self, customer: str, idempotency_key: str) -> Order | None:
        """The order that this customer placed with this key."""
        return await self._session.scalar(
            select(Order).where(Order.customer == customer, Order.idempotency_key == idempotency_key)
        )

    async def list_page(self, parameters: OrderFilter) -> Sequence[Order]:
        """One page of orders and, if there are more, one order of the next."""
        statement = select(Order)
        if parameters.customer is not None:
            statement = statement.where(Order.customer == parameters.customer)
        if parameters.status is not None:
            statement = statement.where(Order.status == parameters.status)
        statement = page_statement(statement, parameters, created_at=Order.created_at, identifier=Order.id)
        return (await self._session.scalars(statement)).all()

    async def lock(self, order_id: uuid.UUID) -> Order | None:
        """The order with this id, held against changes by others until the transaction ends."""
        return await self._session.get(Order, order_id, with_for_update=True, populate_existing=True)

    async def set_status(self, order: Order, status: OrderStatus) -> None:
        """Change the state of a locked order, and write the event."""
        await self._session.execute(
            update(Order).where(Order.id == order.id).values(status=status, updated_at=func.now())
        )
        await self._session.refresh(order, ["status", "updated_at"])
        await self._tell(order)

    async def _tell(self, order: Order) -> None:
        """In the transaction of the change: there is never one without the other."""
        await add_event(self._session, Outbox, type=event_type(order), subject=str(order.id), data=event_data(order))
