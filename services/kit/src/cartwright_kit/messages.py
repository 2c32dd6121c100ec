"""RabbitMQ: events between services, delivered at least once, those of one subject in their order.

Whoever publishes owns a topic exchange; whoever consumes owns a queue and binds it. An event that no queue takes stays
with its publisher, so that the order in which services are deployed loses none.
"""

import abc
import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import ClassVar, Literal

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cartwright_kit.context import begin_request, end_request
from cartwright_kit.errors import ServiceUnavailable
from cartwright_kit.resources import Resource, Runtime
from cartwright_kit.settings import MessagesSettings

_PREFETCH = 20
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0
_ATTEMPTS = 3
_DELIVERIES = 20
_GRACE_SECONDS = 3.0
_CANCEL_SECONDS = 0.5
_log = structlog.stdlib.get_logger(__name__)
TRACE_CONTEXT = TraceContextTextMapPropagator()


class Event(BaseModel):
    """Something that happened, as other services learn of it. A reader ignores fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: uuid.UUID
    """The same in every delivery: by this a consumer recognises a repetition."""
    type: str
    """What happened, such as `order.placed`; the routing key too."""
    subject: str
    """What it happened to. Events of one subject arrive in the order in which they happened."""
    occurred_at: datetime
    data: dict[str, JsonValue]


class EventRefused(Exception):
    """Raised by a handler: this event can never be handled. It goes to the dead letters."""


class MessageWorker(Resource, abc.ABC):
    """Work that goes on as long as the application and needs a connection to RabbitMQ.

    Without RabbitMQ the service goes on serving: the worker waits, tries again, and readiness merely says so.
    """

    name: ClassVar[str] = "rabbitmq"
    required: ClassVar[bool] = False

    def __init__(self, settings: MessagesSettings) -> None:
        self._settings = settings
        self._service = ""
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def bind(self, runtime: Runtime) -> None:
        """Keep the name under which RabbitMQ shows the connection."""
        self._service = runtime.service

    async def open(self) -> None:
        """Begin to work, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"{type(self).__name__} of {self._service}")

    async def close(self) -> None:
        """Stop. What was not confirmed or acknowledged will be sent again."""
        self._stopping.set()
        if self._task is not None:
            # What is under way ends in order: a database session that is cut off would stay half open on the server.
            await end_task(self._task, seconds=0 if self._connection is None else _GRACE_SECONDS)

    @property
    def stopping(self) -> bool:
        """Whether the application ends: `work` returns as soon as it can."""
        return self._stopping.is_set()

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the application's end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def check(self) -> None:
        """Raise unless there is a connection."""
        if self._connection is None or self._connection.is_closed:
            raise ConnectionError("not connected to RabbitMQ")

    @abc.abstractmethod
    async def work(self, connection: AbstractConnection) -> None:
        """Work until the connection is lost, then raise; or until `stopping`, then return."""

    async def _run(self) -> None:
        while not self.stopping:
            connection: AbstractConnection | None = None
            try:
                self._connection = connection = await self._connect()
                await self.work(connection)
            except Exception as error:  # whatever it was, the next attempt begins with a new connection
                expected = isinstance(error, (*CONNECTION_EXCEPTIONS, TimeoutError, ServiceUnavailable))
                _log.warning("starting over", worker=type(self).__name__, error=repr(error), exc_info=not expected)
            finally:
                self._connection = None
                if connection is not None:
                    with contextlib.suppress(Exception):
                        async with asyncio.timeout(_PAUSE_SECONDS):
                            await connection.close()
            await self.pause(_PAUSE_SECONDS)

    async def _connect(self) -> AbstractConnection:
        settings = self._settings
        async for attempt in AsyncRetrying(
            # A connection attempt that is cancelled may well end in a ConnectionError.
            retry=lambda state: not self.stopping and _failed(state),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
            before_sleep=_log_attempt,
            reraise=True,
        ):
            with attempt:
                return await aio_pika.connect(
                    host=settings.rabbitmq_host,
                    port=settings.rabbitmq_port,
                    login=settings.rabbitmq_user,
                    password=settings.rabbitmq_password.get_secret_value(),
                    virtualhost=settings.rabbitmq_vhost,
                    timeout=settings.rabbitmq_timeout_seconds,
                    client_properties={"connection_name": self._service},
                    heartbeat=10,
                )
        raise AssertionError("retried for ever")


class Consumer(MessageWorker):
    """Hands the events of an exchange to a function, one at a time.

    The queue is the service's own, the same for all of its pods, of whom one at a time reads it: that keeps the order.
    A handler that returns has handled the event. One that raises EventRefused, or anything else three times in a row,
    sends it to the dead letters, the queue `<name>.dead`. ServiceUnavailable, a database that is down for one, means
    later: the event and all behind it wait.
    """

    def __init__(
        self,
        settings: MessagesSettings,
        *,
        exchange: str,
        queue: str,
        handle: Callable[[Event], Awaitable[None]],
    ) -> None:
        super().__init__(settings)
        self._exchange = exchange
        self._queue = queue
        self._handle = handle
        self._consumed: Counter | None = None
        self._delay: Histogram | None = None
        self._tracer: trace.Tracer = trace.NoOpTracer()

    def bind(self, runtime: Runtime) -> None:
        """Register the metrics."""
        super().bind(runtime)
        self._tracer = runtime.tracer_provider.get_tracer(__name__)
        registry = runtime.metrics.registry
        self._consumed = Counter(
            "events_consumed", "Events that left the queue", ("queue", "outcome"), registry=registry
        )
        for outcome in ("handled", "refused"):
            self._consumed.labels(self._queue, outcome)
        self._delay = Histogram(
            "event_delay_seconds",
            "Time from an event to its end in the consumer",
            ("queue",),
            buckets=(0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0),
            registry=registry,
        )

    async def work(self, connection: AbstractConnection) -> None:
        """Declare the queues and handle what comes."""
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=_PREFETCH)
        exchange = await channel.declare_exchange(self._exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        dead = await channel.declare_queue(f"{self._queue}.dead", durable=True, arguments={"x-queue-type": "quorum"})
        queue = await channel.declare_queue(
            self._queue,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-single-active-consumer": True,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": dead.name,
                # With at-least-once a dead letter leaves this queue only when the other one has it.
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
                # An event that ends the whole process comes back: not for ever.
                "x-delivery-limit": _DELIVERIES,
            },
        )
        await queue.bind(exchange, "#")
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(arrived.put)
        lost = asyncio.ensure_future(channel.closed())
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self.stopping:
                following = asyncio.ensure_future(arrived.get())
                await asyncio.wait({following, lost, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if lost.done() or stopped.done():
                    following.cancel()
                    if lost.done():
                        raise ConnectionError("the channel was closed")
                    return
                await self._settle(following.result())
        finally:
            stopped.cancel()

    async def _settle(self, message: AbstractIncomingMessage) -> None:
        token = begin_request(message.correlation_id)
        carrier = {key: str(value) for key, value in message.headers.items() if key in TRACE_CONTEXT.fields}
        try:
            with self._tracer.start_as_current_span(
                f"consume {self._queue}", context=TRACE_CONTEXT.extract(carrier), kind=trace.SpanKind.CONSUMER
            ):
                outcome = await self._outcome(message)
            if outcome == "handled":
                await message.ack()
            else:
                await message.reject(requeue=False)
        finally:
            end_request(token)
        if self._consumed is not None:
            self._consumed.labels(self._queue, outcome).inc()

    async def _outcome(self, message: AbstractIncomingMessage) -> Literal["handled", "refused"]:
        try:
            event = Event.model_validate_json(message.body)
        except ValidationError as error:
            _log.error("event refused", queue=self._queue, message_id=message.message_id, error=str(error))
            return "refused"
        about = {"queue": self._queue, "event_id": str(event.id), "type": event.type, "subject": event.subject}
        try:
            async for attempt in AsyncRetrying(
                retry=_may_be_repeated,
                wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
                before_sleep=_log_attempt,
                reraise=True,
            ):
                with attempt:
                    await self._handle(event)
        except EventRefused as error:
            _log.error("event refused", error=str(error), **about)
            return "refused"
        except Exception:
            _log.exception("event refused", **about)
            return "refused"
        if self._delay is not None:
            self._delay.labels(self._queue).observe(max(0.0, time.time() - event.occurred_at.timestamp()))
        _log.info("event handled", **about)
        return "handled"


async def end_task(task: asyncio.Task[None], *, seconds: float) -> None:
    """Wait for a task that was told to end, and cancel it when it takes longer."""
    await asyncio.wait({task}, timeout=seconds)
    while not task.done():  # more than once: a library on the way may take the first cancellation for a lost connection
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
    with contextlib.suppress(asyncio.CancelledError):
        task.result()


_failed = retry_if_exception_type(Exception)


def _may_be_repeated(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(error, Exception) or isinstance(error, EventRefused):
        return False  # it went well, the application ends (a cancellation is no Exception), or there is no point
    # An outage is not the event's fault; any other error gets a few attempts, and then out of the others' way.
    return isinstance(error, ServiceUnavailable) or not stop_after_attempt(_ATTEMPTS)(state)


def _log_attempt(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    _log.warning("trying again", dependency="rabbitmq", attempt=state.attempt_number, error=repr(error))
