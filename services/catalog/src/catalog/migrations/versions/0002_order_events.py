"""What orders have taken from the stock, and the events that said so."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "order_stock",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_order_stock_quantity_not_negative")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_order_stock_product_id_product")),
        sa.PrimaryKeyConstraint("order_id", "product_id", name=op.f("pk_order_stock")),
    )
    op.create_table(
        "processed_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processed_event")),
    )
    op.create_index(op.f("ix_processed_event_processed_at"), "processed_event", ["processed_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_processed_event_processed_at"), table_name="processed_event")
    op.drop_table("processed_event")
    op.drop_table("order_stock")
