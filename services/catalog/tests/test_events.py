"""The stock and the events of orders, through a real RabbitMQ."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from cartwright_kit.testing import client_of
from cartwright_kit.testing_rabbitmq import RabbitServer, eventually
from catalog.app import create_app
from catalog.settings import Settings

QUEUE = "catalog.orders"


@pytest.fixture
def settings(create_database: Callable[[str], dict[str, str]], create_vhost: Callable[[], dict[str, str]]) -> Settings:
    return Settings(**create_database("catalog"), **create_vhost())


class Shop:
    """Catalog, and orders' part played by the test."""

    def __init__(self, client: httpx.AsyncClient, server: RabbitServer, vhost: str) -> None:
        self._client, self._server, self._vhost = client, server, vhost

    async def add(self, *, stock: int = 10) -> str:
        body = {"sku": f"P-{uuid.uuid4().hex[:8].upper()}", "name": "Mug", "stock": stock}
        response = await self._client.post("/products", json=body | {"price": {"amount": 1250, "currency": "EUR"}})
        assert response.status_code == 201, response.text
        return response.json()["id"]

    async def stock(self, product: str) -> int:
        return (await self._client.get(f"/products/{product}")).json()["stock"]

    def send(self, body: str) -> None:
        assert self._server.publish(self._vhost, "orders", "order.placed", body), "no queue took it"

    def tell(self, event: str, order: uuid.UUID, *lines: tuple[str, int], event_id: uuid.UUID | None = None) -> None:
        self.send(
            json.dumps(
                {
                    "id": str(event_id or uuid.uuid4()),
                    "type": event,
                    "subject": str(order),
                    "occurred_at": datetime.now(UTC).isoformat(),
                    "data": {
                        "order_id": str(order),
                        "lines": [{"product_id": product, "quantity": count} for product, count in lines],
                        "a_field": "that catalog does not know",
                    },
                }
            )
        )

    async def settled(self) -> None:
        """Wait until an event that was sent last has been handled, and so all before it."""
        marker = await self.add(stock=1)
        self.tell("order.placed", uuid.uuid4(), (marker, 1))
        await self.stock_becomes(marker, 0)

    async def stock_becomes(self, product: str, stock: int) -> None:
        async with asyncio.timeout(20):
            while await self.stock(product) != stock:
                await asyncio.sleep(0.05)

    def dead(self) -> list[dict[str, Any]]:
        return self._server.take(self._vhost, f"{QUEUE}.dead")


@pytest.fixture
async def shop(client: httpx.AsyncClient, rabbitmq_server: RabbitServer, settings: Settings) -> AsyncIterator[Shop]:
    await eventually(lambda: rabbitmq_server.has_binding(settings.rabbitmq_vhost, "orders", QUEUE))
    yield Shop(client, rabbitmq_server, settings.rabbitmq_vhost)


async def test_a_placed_order_takes_its_pieces_and_a_cancelled_one_gives_them_back(shop: Shop) -> None:
    first, second, order = await shop.add(stock=10), await shop.add(stock=3), uuid.uuid4()
    shop.tell("order.placed", order, (first, 4), (second, 3))
    await shop.settled()
    assert (await shop.stock(first), await shop.stock(second)) == (6, 0)
    shop.tell("order.paid", order, (first, 4), (second, 3))
    shop.tell("order.cancelled", order, (first, 4), (second, 3))
    await shop.settled()
    assert (await shop.stock(first), await shop.stock(second)) == (10, 3)
    assert shop.dead() == []


async def test_an_event_that_is_delivered_twice_counts_once(shop: Shop) -> None:
    product, order, placed, cancelled = await shop.add(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    for _ in range(3):
        shop.tell("order.placed", order, (product, 4), event_id=placed)
    await shop.settled()
    assert await shop.stock(product) == 6
    for _ in range(3):
        shop.tell("order.cancelled", order, (product, 4), event_id=cancelled)
    await shop.settled()
    assert await shop.stock(product) == 10


async def test_the_stock_never_goes_below_zero_and_comes_back_as_it_was(shop: Shop, client: httpx.AsyncClient) -> None:
    product, order = await shop.add(stock=3), uuid.uuid4()
    shop.tell("order.placed", order, (product, 5))
    await shop.settled()
    assert await shop.stock(product) == 0
    assert "stock_pieces_short_total 2.0" in (await client.get("/metrics")).text
    shop.tell("order.cancelled", order, (product, 5))
    await shop.settled()
    assert await shop.stock(product) == 3


async def test_an_order_that_was_never_placed_gives_nothing_back(shop: Shop) -> None:
    product = await shop.add(stock=3)
    shop.tell("order.cancelled", uuid.uuid4(), (product, 5))
    await shop.settled()
    assert await shop.stock(product) == 3


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("not JSON", id="no JSON"),
        pytest.param('{"type": "order.placed"}', id="no event"),
        pytest.param(
            json.dumps(
                {
                    "id": str(uuid.uuid4()),
                    "type": "order.placed",
                    "subject": "x",
                    "occurred_at": "2026-01-01T00:00:00Z",
                    "data": {"order_id": str(uuid.uuid4()), "lines": [{"product_id": "7", "quantity": -1}]},
                }
            ),
            id="no order",
        ),
    ],
)
async def test_what_cannot_be_handled_goes_to_the_dead_letters_and_holds_nothing_up(
    shop: Shop, client: httpx.AsyncClient, body: str
) -> None:
    shop.send(body)
    await shop.settled()
    dead: list[dict[str, Any]] = []
    await eventually(lambda: dead.extend(shop.dead()) or dead)
    assert [message["payload"] for message in dead] == [body]
    assert dead[0]["properties"]["headers"]["x-first-death-reason"] == "rejected"
    metrics = (await client.get("/metrics")).text
    assert f'events_consumed_total{{outcome="refused",queue="{QUEUE}"}} 1.0' in metrics


async def test_an_order_with_an_unknown_product_takes_nothing_at_all(shop: Shop) -> None:
    product = await shop.add(stock=3)
    shop.tell("order.placed", uuid.uuid4(), (product, 1), (str(uuid.UUID(int=2**128 - 1)), 1))
    await shop.settled()
    assert await shop.stock(product) == 3
    dead: list[dict[str, Any]] = []
    await eventually(lambda: dead.extend(shop.dead()) or dead)
    assert len(dead) == 1


async def test_events_that_came_while_catalog_was_away_wait_for_it(
    rabbitmq_server: RabbitServer, settings: Settings
) -> None:
    async with client_of(create_app(settings)) as client:
        await eventually(lambda: rabbitmq_server.has_binding(settings.rabbitmq_vhost, "orders", QUEUE))
        shop = Shop(client, rabbitmq_server, settings.rabbitmq_vhost)
        product = await shop.add(stock=9)
    for _ in range(3):
        shop.tell("order.placed", uuid.uuid4(), (product, 1))
    async with client_of(create_app(settings)) as client:
        shop = Shop(client, rabbitmq_server, settings.rabbitmq_vhost)
        await shop.stock_becomes(product, 6)


async def test_events_are_remembered_for_a_month(shop: Shop, settings: Settings) -> None:
    engine = create_engine(settings.database_url)
    old, recent = uuid.uuid4(), uuid.uuid4()
    with engine.begin() as connection:
        for event, age in ((old, timedelta(days=31)), (recent, timedelta(days=29))):
            connection.execute(
                text("INSERT INTO processed_event (id, processed_at) VALUES (:id, now() - :age)"),
                {"id": event, "age": age},
            )
    await shop.settled()
    with engine.connect() as connection:
        kept = set(connection.scalars(text("SELECT id FROM processed_event")))
    engine.dispose()
    assert recent in kept
    assert old not in kept
