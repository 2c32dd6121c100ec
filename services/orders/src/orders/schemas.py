"""What clients send to orders and get from it."""

import uuid
from datetime import datetime
from typing import Annotated, Self

from fastapi import Header, Query
from pydantic import Field, StringConstraints, model_validator

from cartwright_kit import Money, PageParameters, Schema
from orders.models import Order, OrderStatus

MAX_LINES = 100
MAX_QUANTITY = 1000

Customer = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@\-]{0,63}$")]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Chosen by the client, new for each order: a repeated request with it places nothing twice",
    ),
]


class LineCreate(Schema):
    """A product and how many of it."""

    product_id: uuid.UUID
    quantity: int = Field(strict=True, ge=1, le=MAX_QUANTITY)


class OrderCreate(Schema):
    """An order to be placed. Prices are not the client's to say."""

    customer: Customer
    lines: list[LineCreate] = Field(min_length=1, max_length=MAX_LINES)

    @model_validator(mode="after")
    def _refuse_repeated_products(self) -> Self:
        if len({line.product_id for line in self.lines}) != len(self.lines):
            raise ValueError("lines: a product appears twice; give it one line with the sum of the quantities")
        return self


class StatusChange(Schema):
    """The state an order is to be in."""

    status: OrderStatus


class OrderFilter(PageParameters):
    """The query of the listing."""

    customer: Customer | None = None
    status: OrderStatus | None = None


OrderQuery = Annotated[OrderFilter, Query()]


class OrderTotal(Schema):
    """The sum of an order, in minor units; larger than a single price may be."""

    amount: int
    currency: str


class LinePublic(Schema):
    """One line of an order as clients see it; `price` is of one piece."""

    product_id: uuid.UUID
    sku: str
    name: str
    quantity: int
    price: Money


class OrderPublic(Schema):
    """An order as clients see it."""

    id: uuid.UUID
    customer: str
    status: OrderStatus
    lines: list[LinePublic]
    total: OrderTotal
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, order: Order) -> Self:
        """The public shape of a stored order."""
        return cls(
            id=order.id,
            customer=order.customer,
            status=order.status,
            lines=[
                LinePublic(
                    product_id=line.product_id,
                    sku=line.sku,
                    name=line.name,
                    quantity=line.quantity,
                    price=Money(amount=line.unit_amount, currency=order.currency),
                )
                for line in order.lines
            ],
            total=OrderTotal(amount=order.total_amount, currency=order.currency),
            created_at=order.created_at,
            updated_at=order.updated_at,
        )
