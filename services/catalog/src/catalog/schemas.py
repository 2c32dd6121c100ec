"""What clients send to catalog and get from it."""

import uuid
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator

from cartwright_kit import Money, Schema
from catalog.models import Product

MAX_STOCK = 1_000_000_000

Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9\-]{0,63}$")]
# PostgreSQL's text holds every character but NUL.
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Description = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
Stock = Annotated[int, Field(strict=True, ge=0, le=MAX_STOCK)]


class ProductCreate(Schema):
    """A product to be added."""

    sku: Sku
    name: Name
    description: Description = ""
    price: Money
    stock: Stock = 0


class ProductUpdate(Schema):
    """The fields to change; those left out stay, and none can be emptied.

    Stock is not among them: it changes by adjustments, so that two of them never overwrite each other.
    """

    name: Name | None = None
    description: Description | None = None
    price: Money | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null; leave the field out to keep it")
        return value


class StockAdjustment(Schema):
    """A change of stock: positive for goods received, negative for goods gone."""

    delta: int = Field(strict=True, ge=-MAX_STOCK, le=MAX_STOCK)


class ProductPublic(Schema):
    """A product as clients see it."""

    id: uuid.UUID
    sku: str
    name: str
    description: str
    price: Money
    stock: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, product: Product) -> Self:
        """The public shape of a stored product."""
        return cls(
            id=product.id,
            sku=product.sku,
            name=product.name,
            description=product.description,
            price=Money(amount=product.price_amount, currency=product.price_currency),
            stock=product.stock,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )
