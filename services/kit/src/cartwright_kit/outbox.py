"""The transactional outbox: an event is written with the change it tells of, and published afterwards.

The change and its event are committed together or not at all. RabbitMQ may be down meanwhile: events wait here. One
that was published just before a crash is published again; its id is the same.
"""

import asyncio
import contextlib
import uuid
from datetime import datetime
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import PublishError
from prometheus_client import Counter, Gauge
from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, Identity, Index, String, delete, exists, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, declared_attr, mapped_column

from cartwright_kit.context import request_id
from cartwright_kit.database import Database, DatabaseUnavailable
from cartwright_kit.messages import TRACE_CONTEXT, Event, MessageWorker, end_task
from cartwright_kit.resources import Runtime
from cartwright_kit.settings import MessagesSettings

_AT_ONCE = 50
_POLL_SECONDS = 0.25
_NOWHERE_SECONDS = 2.0
_MEASURE_SECONDS = 5.0
_GRACE_SECONDS = 3.0
_log = structlog.stdlib.get_logger(__name__)


class OutboxColumns:
    """Mixin for a service's model of its outbox: events that RabbitMQ does not have yet."""

    __tablename__ = "outbox"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Index, ...]:
        """The index by which the first event of each subject is found."""
        return (Index(None, "subject", "position"),)

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """The order of a subject's events. Whoever adds one holds the subject's row, so a later one has a larger number."""
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    request_id: Mapped[str | None] = mapped_column(String(128))
    traceparent: Mapped[str | None] = mapped_column(String(55))
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


async def add_event(
    session: AsyncSession, table: type[OutboxColumns], *, type: str, subject: str, data: dict[str, JsonValue]
) -> None:
    """Write an event within the session's transaction, under the present request and trace."""
    carrier: dict[str, str] = {}
    TRACE_CONTEXT.inject(carrier)
    await session.execute(
        insert(table).values(
            id=uuid.uuid4(),
            type=type,
            subject=subject,
            data=data,
            request_id=request_id(),
            traceparent=carrier.get("traceparent"),
        )
    )


class OutboxPublisher(MessageWorker):
    """Publishes a service's outbox to its exchange. Any number of pods may do so at once."""

    def __init__(
        self, settings: MessagesSettings, *, database: Database, table: type[OutboxColumns], exchange: str
    ) -> None:
        super().__init__(settings)
        self._database = database
        self._table = table
        self._exchange = exchange
        self._published: Counter | None = None
        self._waiting: Gauge | None = None
        self._oldest: Gauge | None = None
        self._measuring: asyncio.Task[None] | None = None

    def bind(self, runtime: Runtime) -> None:
        """Register the metrics."""
        super().bind(runtime)
        registry = runtime.metrics.registry
        self._published = Counter(
            "outbox_events_published", "Events that RabbitMQ has confirmed", ("type",), registry=registry
        )
        self._waiting = Gauge("outbox_events_waiting", "Events that RabbitMQ does not have yet", registry=registry)
        self._oldest = Gauge("outbox_oldest_event_seconds", "Age of the oldest of them; 0 without", registry=registry)

    async def open(self) -> None:
        """Begin to publish and to measure, in the background."""
        await super().open()
        self._measuring = asyncio.create_task(self._measure(), name=f"outbox of {self._service}")

    async def close(self) -> None:
        """Stop both."""
        await super().close()
        if self._measuring is not None:
            await end_task(self._measuring, seconds=_GRACE_SECONDS)

    async def work(self, connection: AbstractConnection) -> None:
        """Publish what is there and what comes."""
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.declare_exchange(self._exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        while not self.stopping:
            if channel.is_closed:
                raise ConnectionError("the channel was closed")
            published, nowhere = await self._publish(exchange)
            if nowhere:
                _log.warning("no queue takes these events; they wait", exchange=self._exchange, types=nowhere)
                await self.pause(_NOWHERE_SECONDS)
            elif published < _AT_ONCE:
                await self.pause(_POLL_SECONDS)

    async def _publish(self, exchange: AbstractExchange) -> tuple[int, list[str]]:
        """Publish the first waiting event of each subject. Returns how many, and the types that no queue takes."""
        table, earlier = self._table, aliased(self._table)
        # Others skip what is locked here. They do not take a subject's second event either while its first is not
        # gone, so each subject's events leave in order, whoever publishes them.
        first = ~exists().where(earlier.subject == table.subject, earlier.position < table.position)
        statement = select(table).where(first).order_by(table.position).limit(_AT_ONCE)
        async with self._database.session() as session:
            waiting = (await session.scalars(statement.with_for_update(skip_locked=True))).all()
            if not waiting:
                return 0, []
            outcomes = await asyncio.gather(*(self._send(exchange, one) for one in waiting), return_exceptions=True)
            sent = [one for one, outcome in zip(waiting, outcomes, strict=True) if outcome is None]
            await session.execute(delete(table).where(table.position.in_([one.position for one in sent])))
        if self._published is not None:
            for one in sent:
                self._published.labels(one.type).inc()
        failed = [error for error in outcomes if error is not None]
        for error in failed:
            if not isinstance(error, PublishError):
                raise error
        return len(sent), sorted(
            {one.type for one, outcome in zip(waiting, outcomes, strict=True) if outcome is not None}
        )

    async def _send(self, exchange: AbstractExchange, one: OutboxColumns) -> None:
        event = Event(id=one.id, type=one.type, subject=one.subject, occurred_at=one.occurred_at, data=one.data)
        headers: dict[str, Any] = {"traceparent": one.traceparent} if one.traceparent else {}
        await exchange.publish(
            aio_pika.Message(
                event.model_dump_json().encode(),
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                message_id=str(one.id),
                correlation_id=one.request_id,
                timestamp=one.occurred_at,
                type=one.type,
                app_id=self._service,
                headers=headers,
            ),
            one.type,
            mandatory=True,
            timeout=self._settings.rabbitmq_timeout_seconds,
        )

    async def _measure(self) -> None:
        age = func.coalesce(func.extract("epoch", func.clock_timestamp() - func.min(self._table.occurred_at)), 0)
        while not self.stopping:
            with contextlib.suppress(DatabaseUnavailable):  # the last figures stay; readiness tells of the database
                async with self._database.session() as session:
                    waiting, oldest = (await session.execute(select(func.count(), age).select_from(self._table))).one()
                if self._waiting is not None and self._oldest is not None:
                    self._waiting.set(waiting)
                    self._oldest.set(max(0.0, float(oldest)))
            await self.pause(_MEASURE_SECONDS)
