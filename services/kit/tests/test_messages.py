import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cartwright_kit import Consumer, DatabaseUnavailable, Event, EventRefused, MessagesSettings
from cartwright_kit.testing_rabbitmq import RabbitServer, eventually, unreachable_rabbitmq

Handler = Callable[[Event], Awaitable[None]]


@pytest.fixture
def settings(create_vhost: Callable[[], dict[str, str]]) -> MessagesSettings:
    return MessagesSettings(**create_vhost())


class Books:
    """A consumer of the exchange `books`, and what its handler was given."""

    def __init__(self, server: RabbitServer, settings: MessagesSettings) -> None:
        self._server, self._settings = server, settings
        self.seen: list[str] = []
        self.failures: dict[str, list[Exception]] = {}

    async def handle(self, event: Event) -> None:
        self.seen.append(event.type)
        if failures := self.failures.get(event.type):
            raise failures.pop(0)

    def consumer(self) -> Consumer:
        return Consumer(self._settings, exchange="books", queue="shelf.books", handle=self.handle)

    def tell(self, event_type: str, **properties: object) -> None:
        body = {"id": str(uuid.uuid4()), "type": event_type, "subject": "s", "occurred_at": "2026-01-01T00:00:00Z"}
        vhost = self._settings.rabbitmq_vhost
        assert self._server.publish(vhost, "books", event_type, json.dumps(body | {"data": {}}), **properties)

    async def saw(self, *types: str) -> None:
        await eventually(lambda: len(self.seen) >= len(types))
        assert self.seen == list(types)

    async def dead(self) -> list[str]:
        found: list[dict[str, Any]] = []
        await eventually(
            lambda: found.extend(self._server.take(self._settings.rabbitmq_vhost, "shelf.books.dead")) or found
        )
        return [json.loads(message["payload"])["type"] for message in found]

    @asynccontextmanager
    async def open(self, serve) -> AsyncIterator[Any]:
        async with serve(None, self.consumer()) as client:
            vhost = self._settings.rabbitmq_vhost
            await eventually(lambda: self._server.has_binding(vhost, "books", "shelf.books"))
            yield client


@pytest.fixture
def books(rabbitmq_server: RabbitServer, settings: MessagesSettings) -> Books:
    return Books(rabbitmq_server, settings)


async def test_during_an_outage_an_event_and_those_behind_it_wait(serve, books: Books) -> None:
    books.failures["lent"] = [DatabaseUnavailable("x") for _ in range(5)]
    async with books.open(serve):
        books.tell("lent")
        books.tell("returned")
        await books.saw(*["lent"] * 6, "returned")


async def test_an_event_that_fails_three_times_goes_to_the_dead_letters(serve, books: Books) -> None:
    books.failures["lent"] = [ValueError("x") for _ in range(9)]
    async with books.open(serve):
        books.tell("lent")
        books.tell("returned")
        await books.saw("lent", "lent", "lent", "returned")
        assert await books.dead() == ["lent"]


async def test_an_event_that_is_refused_is_not_tried_again(serve, books: Books) -> None:
    books.failures["lent"] = [EventRefused("x")]
    async with books.open(serve):
        books.tell("lent")
        books.tell("returned")
        await books.saw("lent", "returned")
        assert await books.dead() == ["lent"]


async def test_one_of_two_pods_reads_and_the_other_takes_over(serve, books: Books) -> None:
    async with books.open(serve):
        async with books.open(serve):
            for number in range(20):
                books.tell(f"lent.{number}")
            await books.saw(*(f"lent.{number}" for number in range(20)))
        books.tell("returned")
        await eventually(lambda: books.seen[-1] == "returned")


async def test_an_event_is_handled_under_the_request_that_caused_it(
    serve, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry import trace

    from cartwright_kit import request_id

    known: list[tuple[str | None, str]] = []

    async def note(_event: Event) -> None:
        known.append((request_id(), trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)))

    monkeypatch.setattr(books, "handle", note)
    async with books.open(serve):
        identifier = "4bf92f3577b34da6a3ce929d0e0e4736"
        books.tell("lent", correlation_id="r-1", headers={"traceparent": f"00-{identifier}-00f067aa0ba902b7-01"})
        await eventually(lambda: known)
    assert known == [("r-1", identifier)]


async def test_a_service_that_ends_while_an_event_is_handled_ends_at_once_and_the_event_comes_again(
    serve, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    async def never(event: Event) -> None:
        begun.append(event.type)
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(books, "handle", never)
        async with asyncio.timeout(10), books.open(serve):
            books.tell("lent")
            await eventually(lambda: begun)
    async with books.open(serve):
        await books.saw("lent")


async def test_a_service_without_rabbitmq_is_ready_and_ends_at_once(serve) -> None:
    async def handle(_event: Event) -> None:
        raise AssertionError

    consumer = Consumer(
        MessagesSettings(**unreachable_rabbitmq()), exchange="books", queue="shelf.books", handle=handle
    )
    async with asyncio.timeout(5), serve(None, consumer) as client:
        health = await client.get("/readyz")
        assert health.status_code == 200
        assert health.json()["dependencies"] == {"rabbitmq": {"status": "unavailable", "required": False}}
