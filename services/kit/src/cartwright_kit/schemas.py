"""Shapes that requests and responses of every service share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_AMOUNT = 1_000_000_000_000
"""Largest single price, in minor units: far above any, and far below what a 64-bit sum of an order holds."""


class Schema(BaseModel):
    """Base of requests and responses: unknown fields are refused, values are not changed, attributes are read."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


Currency = Annotated[
    str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code, which fixes the minor unit", examples=["EUR"])
]


class Money(Schema):
    """An amount of money, exact: a whole number of the currency's minor units (cents for EUR, yen for JPY)."""

    amount: int = Field(strict=True, ge=0, le=MAX_AMOUNT, description="in minor units", examples=[1999])
    currency: Currency
