"""The tables of catalog."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, String, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cartwright_kit import create_metadata


class Base(DeclarativeBase):
    """Base of the models; its metadata is what migrations are checked against."""

    metadata = create_metadata()


class Product(Base):
    """Something the shop sells. The price is a whole number of the currency's minor units."""

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint("price_amount >= 0", name="price_amount_not_negative"),
        CheckConstraint("stock >= 0", name="stock_not_negative"),
        CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name="price_currency_is_code"),
        Index(None, "created_at", "id"),  # the order of listings
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    sku: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    price_amount: Mapped[int] = mapped_column(BigInteger)
    price_currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
