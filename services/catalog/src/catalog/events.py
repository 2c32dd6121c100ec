"""What catalog does when orders are placed and cancelled: pieces leave the stock and come back."""

import uuid

import structlog
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cartwright_kit import Consumer, Database, Event, EventRefused, MessagesSettings, Runtime
from catalog.repository import OrderStockRepository

_log = structlog.stdlib.get_logger(__name__)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    product_id: uuid.UUID
    quantity: int = Field(gt=0)


class _OrderEvent(BaseModel):
    """The part of the events of orders that catalog depends on; orders may add to it freely."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: uuid.UUID
    lines: list[_Line] = Field(min_length=1)


class OrderEvents(Consumer):
    """Keeps the stock by the events of orders. Each event counts once, however often it is delivered."""

    def __init__(self, settings: MessagesSettings, database: Database) -> None:
        super().__init__(settings, exchange="orders", queue="catalog.orders", handle=self._keep_stock)
        self._database = database
        self._short: Counter | None = None

    def bind(self, runtime: Runtime) -> None:
        """Register the metrics."""
        super().bind(runtime)
        self._short = Counter(
            "stock_pieces_short",
            "Pieces of placed orders that the stock no longer had",
            registry=runtime.metrics.registry,
        )

    async def _keep_stock(self, event: Event) -> None:
        """The other events of orders are none of catalog's business, and need no mark that they were seen."""
        if event.type not in {"order.placed", "order.cancelled"}:
            return
        try:
            order = _OrderEvent.model_validate(event.data)
        except ValidationError as error:
            raise EventRefused(f"{event.type} without what catalog needs: {error}") from error
        short = 0
        async with self._database.session() as session:
            stock = OrderStockRepository(session)
            if not await stock.mark(event.id):
                return
            if event.type == "order.cancelled":
                await stock.give_back(order.order_id)
            else:
                # In one order for all, so that two events never wait for each other's rows.
                for line in sorted(order.lines, key=lambda line: line.product_id):
                    short += line.quantity - await self._take(stock, order.order_id, line)
        if short:
            _log.warning("sold more than was in stock", order=str(order.order_id), pieces=short)
            if self._short is not None:
                self._short.inc(short)

    async def _take(self, stock: OrderStockRepository, order_id: uuid.UUID, line: _Line) -> int:
        taken = await stock.take(order_id, line.product_id, line.quantity)
        if taken is None:
            raise EventRefused(f"order {order_id} names the product {line.product_id}, which does not exist")
        return taken
