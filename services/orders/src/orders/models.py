"""The tables of orders."""

import enum
import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Enum, ForeignKey, Index, Integer, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cartwright_kit import OutboxColumns, create_metadata


class Base(DeclarativeBase):
    """Base of the models; its metadata is what migrations are checked against."""

    metadata = create_metadata()


class OrderStatus(enum.StrEnum):
    """Where an order is in its life."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"

    @property
    def successors(self) -> frozenset["OrderStatus"]:
        """The states that may follow this one."""
        return _SUCCESSORS[self]


_SUCCESSORS = {
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset[OrderStatus](),
    OrderStatus.CANCELLED: frozenset[OrderStatus](),
}


class Order(Base):
    """What a customer bought, at the prices of that moment. Amounts are whole minor units of `currency`."""

    __tablename__ = "order"
    __table_args__ = (
        CheckConstraint("total_amount >= 0", name="total_amount_not_negative"),
        Index(None, "customer", "idempotency_key", unique=True),
        Index(None, "created_at", "id"),  # the order of listings
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    customer: Mapped[str] = mapped_column(String(64))
    idempotency_key: Mapped[str] = mapped_column(String(255))
    request_digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the request that placed the order, to tell a repetition from another request with the same key."""
    status: Mapped[OrderStatus] = mapped_column(
        # Text with a check, not a PostgreSQL enum: adding a state is then an ordinary, reversible migration.
        Enum(
            OrderStatus,
            name="status",
            native_enum=False,
            length=16,
            create_constraint=True,
            values_callable=lambda kind: [member.value for member in kind],
        ),
        default=OrderStatus.PLACED,
    )
    currency: Mapped[str] = mapped_column(String(3))
    total_amount: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.position", lazy="selectin")


class OrderLine(Base):
    """One product of an order. Name and price are copies: what was bought does not change with the catalog."""

    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_amount >= 0", name="unit_amount_not_negative"),
    )

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("order.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    product_id: Mapped[uuid.UUID]
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int] = mapped_column(Integer)
    unit_amount: Mapped[int] = mapped_column(BigInteger)


class Outbox(OutboxColumns, Base):
    """Events of orders that RabbitMQ does not have yet. The subject is the order's id."""
