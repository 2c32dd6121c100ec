"""What orders tells other services: an event for each change of an order.

`order.placed`, `order.paid`, `order.shipped` and `order.cancelled` all carry the order's lines, so that a reader needs
nothing else, and nothing about the customer. Fields may be added; what a field means never changes.
"""

from pydantic import JsonValue

from orders.models import Order

EXCHANGE = "orders"
"""The topic exchange that they are published to."""


def event_type(order: Order) -> str:
    """The event for the state that the order has just got into."""
    return f"order.{order.status.value}"


def event_data(order: Order) -> dict[str, JsonValue]:
    """What the event says of the order."""
    return {
        "order_id": str(order.id),
        "status": order.status.value,
        "lines": [
            {"product_id": str(line.product_id), "sku": line.sku, "quantity": line.quantity} for line in order.lines
        ],
    }
