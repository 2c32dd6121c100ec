"""Events of orders, through a real RabbitMQ."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import AsyncSession

from cartwright_kit import Database, DatabaseUnavailable
from cartwright_kit.testing import client_of
from cartwright_kit.testing_rabbitmq import RabbitServer, eventually
from orders.app import create_app
from orders.settings import Settings

if TYPE_CHECKING:
    from .conftest import FakeCatalog


class Listener:
    """A queue of another service, and what has come into it so far."""

    def __init__(self, server: RabbitServer, vhost: str) -> None:
        self._server, self._vhost = server, vhost
        self.messages: list[dict[str, Any]] = []
        self.bind()

    def bind(self) -> None:
        self._server.bind_queue(self._vhost, "orders", "listener")

    def look(self) -> list[dict[str, Any]]:
        """The events so far."""
        self.messages += self._server.take(self._vhost, "listener")
        return [json.loads(message["payload"]) for message in self.messages]

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        await eventually(lambda: len(self.look()) >= count)
        return self.look()


@pytest.fixture
def settings(create_database: Callable[[str], dict[str, str]], create_vhost: Callable[[], dict[str, str]]) -> Settings:
    return Settings(catalog_url="http://catalog.test", **create_database("orders"), **create_vhost())


@pytest.fixture
def listener(rabbitmq_server: RabbitServer, settings: Settings) -> Listener:
    return Listener(rabbitmq_server, settings.rabbitmq_vhost)


async def place(client: httpx.AsyncClient, product: str, *, key: str = "k", quantity: int = 2) -> httpx.Response:
    body = {"customer": "ada", "lines": [{"product_id": product, "quantity": quantity}]}
    return await client.post("/orders", json=body, headers={"Idempotency-Key": key, "X-Request-ID": f"request-{key}"})


async def waiting(client: httpx.AsyncClient) -> dict[str, float]:
    """The metrics of the outbox."""
    text = (await client.get("/metrics")).text
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("outbox_") and not sample.labels
    }


async def test_each_change_of_an_order_is_told_with_its_lines_and_under_the_requests_id(
    client: httpx.AsyncClient, catalog: "FakeCatalog", listener: Listener
) -> None:
    product = catalog.add()
    order = (await place(client, product)).json()
    for status in ("paid", "cancelled"):
        assert (await client.put(f"/orders/{order['id']}/status", json={"status": status})).status_code == 200
    events = await listener.wait_for(3)
    assert [(event["type"], event["subject"]) for event in events] == [
        (f"order.{status}", order["id"]) for status in ("placed", "paid", "cancelled")
    ]
    assert events[0]["data"] == {
        "order_id": order["id"],
        "status": "placed",
        "lines": [{"product_id": product, "sku": "SKU-0", "quantity": 2}],
    }
    assert "ada" not in json.dumps(events), "an event says nothing of the customer"
    properties = listener.messages[0]["properties"]
    assert properties["message_id"] == events[0]["id"]
    assert properties["correlation_id"] == "request-k"
    assert properties["delivery_mode"] == 2, "kept on disk"


async def test_neither_a_refused_nor_a_repeated_order_is_told_of(
    client: httpx.AsyncClient, catalog: "FakeCatalog", listener: Listener
) -> None:
    scarce, product = catalog.add(stock=1), catalog.add()
    assert (await place(client, scarce, key="refused")).status_code == 409
    orders = [(await place(client, product, key="placed")).json() for _ in range(2)]
    order_id = orders[0]["id"]
    assert (await client.put(f"/orders/{order_id}/status", json={"status": "shipped"})).status_code == 409
    assert (await client.put(f"/orders/{order_id}/status", json={"status": "placed"})).status_code == 200
    assert (await client.put(f"/orders/{order_id}/status", json={"status": "paid"})).status_code == 200
    events = await listener.wait_for(2)
    assert [(event["type"], event["subject"]) for event in events] == [
        ("order.placed", order_id),
        ("order.paid", order_id),
    ]


async def test_without_rabbitmq_orders_are_placed_and_their_events_wait(
    create_database: Callable[[str], dict[str, str]], catalog: "FakeCatalog", settings: Settings, listener: Listener
) -> None:
    database = create_database("orders")
    down = Settings(**settings.model_dump() | database | {"rabbitmq_port": 1})
    async with client_of(create_app(down, transport=httpx.MockTransport(catalog))) as client:
        order = (await place(client, catalog.add())).json()
        health = await client.get("/readyz")
        assert health.status_code == 200
        assert health.json()["dependencies"]["rabbitmq"] == {"status": "unavailable", "required": False}
    # A pod that starts later, with RabbitMQ there, tells at first how much waits, and then publishes it.
    up = Settings(**settings.model_dump() | database)
    async with client_of(create_app(up, transport=httpx.MockTransport(catalog))) as client:
        events = await listener.wait_for(1)
        assert [event["subject"] for event in events] == [order["id"]]
        assert (await client.get("/readyz")).json()["dependencies"]["rabbitmq"]["status"] == "ok"


async def test_the_age_of_what_waits_is_a_metric(
    create_database: Callable[[str], dict[str, str]], catalog: "FakeCatalog", settings: Settings
) -> None:
    down = Settings(**settings.model_dump() | create_database("orders") | {"rabbitmq_port": 1})
    async with client_of(create_app(down, transport=httpx.MockTransport(catalog))) as client:
        assert (await place(client, catalog.add())).status_code == 201
    async with client_of(create_app(down, transport=httpx.MockTransport(catalog))) as client:
        async with asyncio.timeout(5):
            while (found := await waiting(client))["outbox_events_waiting"] != 1:
                await asyncio.sleep(0.05)
        assert 0 < found["outbox_oldest_event_seconds"] < 60


async def test_an_event_that_no_queue_takes_waits_for_one(
    client: httpx.AsyncClient, catalog: "FakeCatalog", rabbitmq_server: RabbitServer, settings: Settings
) -> None:
    order = (await place(client, catalog.add())).json()

    def connected() -> bool:
        return rabbitmq_server.has_exchange(settings.rabbitmq_vhost, "orders")

    await eventually(connected)
    listener = Listener(rabbitmq_server, settings.rabbitmq_vhost)
    assert [event["subject"] for event in await listener.wait_for(1)] == [order["id"]]


async def test_several_pods_publish_each_event_once_and_each_orders_events_in_order(
    settings: Settings, catalog: "FakeCatalog", listener: Listener
) -> None:
    product = catalog.add(stock=1000)

    def pod() -> Any:
        return client_of(create_app(settings, transport=httpx.MockTransport(catalog)))

    async with pod() as first, pod() as second, pod() as third:
        pods = (first, second, third)

        async def live(number: int) -> None:
            client = pods[number % 3]
            order = (await place(client, product, key=f"k-{number}")).json()
            for status in ("paid", "shipped"):
                answer = await client.put(f"/orders/{order['id']}/status", json={"status": status})
                assert answer.status_code == 200

        await asyncio.gather(*(live(number) for number in range(12)))
        events = await listener.wait_for(36)
    by_order: dict[str, list[str]] = defaultdict(list)
    for event in events:
        by_order[event["subject"]].append(event["type"])
    assert len(by_order) == 12
    assert set(map(tuple, by_order.values())) == {("order.placed", "order.paid", "order.shipped")}


@pytest.fixture
def losing_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The first commit that takes events out of the outbox fails, as if the process had ended before it."""
    lost: list[int] = []
    session = Database.session

    @asynccontextmanager
    async def losing(database: Database) -> AsyncIterator[AsyncSession]:
        async with session(database) as opened:
            yield opened
            deletes = [one for one in statements if one.startswith("DELETE FROM outbox")]
            if deletes and not lost:
                lost.append(len(deletes))
                raise DatabaseUnavailable("the process ended before the commit")

    statements: list[str] = []
    execute = AsyncSession.execute

    async def watch(opened: AsyncSession, statement: Any, *arguments: Any, **options: Any) -> Any:
        statements.append(str(statement))
        return await execute(opened, statement, *arguments, **options)

    monkeypatch.setattr(Database, "session", losing)
    monkeypatch.setattr(AsyncSession, "execute", watch)
    yield lost


async def test_after_a_crash_between_publishing_and_noting_it_the_same_event_is_published_again(
    losing_database: list[int], client: httpx.AsyncClient, catalog: "FakeCatalog", listener: Listener
) -> None:
    assert (await place(client, catalog.add())).status_code == 201
    events = await listener.wait_for(2)
    assert losing_database == [1]
    assert [event["type"] for event in events] == ["order.placed"] * 2
    assert events[0]["id"] == events[1]["id"]
