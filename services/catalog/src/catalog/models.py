"""The tables of catalog."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, String, Text, func
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


class OrderStock(Base):
    """Pieces that an order has taken from the stock, so that a cancelled order gives back exactly these."""

    __tablename__ = "order_stock"
    __table_args__ = (CheckConstraint("quantity >= 0", name="quantity_not_negative"),)

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    product_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("product.id"), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)


class ProcessedEvent(Base):
    """An event that has had its effect: RabbitMQ may deliver it again, and nothing happens."""

    __tablename__ = "processed_event"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    processed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
