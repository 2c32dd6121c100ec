"""The three services as processes of their own, on one PostgreSQL, Redis and RabbitMQ, as they are in a cluster."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cartwright_kit.testing import PostgresServer, RedisServer, ServiceProcess, start_service
from cartwright_kit.testing_rabbitmq import RabbitServer


@dataclass(frozen=True)
class Shop:
    """The running services."""

    catalog: ServiceProcess
    orders: ServiceProcess
    gateway: ServiceProcess
    rabbitmq: RabbitServer

    def add_product(self, **changes: object) -> dict[str, object]:
        """Add a product to the catalog, from inside as it were."""
        product = {
            "sku": f"MUG-{uuid.uuid4().hex[:8].upper()}",
            "name": "Mug",
            "price": {"amount": 1250, "currency": "EUR"},
            "stock": 10,
        }
        response = httpx.post(f"{self.catalog.url}/products", json=product | changes)
        assert response.status_code == 201, response.text
        return response.json()


@contextmanager
def _open_shop(postgres: PostgresServer, redis: RedisServer, rabbitmq: RabbitServer, logs: Path) -> Iterator[Shop]:
    redis.flush()
    vhost = rabbitmq.create_vhost()
    messages = rabbitmq.settings(vhost)
    with ExitStack() as stack:
        stack.callback(rabbitmq.drop_vhost, vhost)

        def start(service: str, **settings: str) -> ServiceProcess:
            environment = {name.upper(): value for name, value in settings.items()} | {"SHUTDOWN_DRAIN_SECONDS": "0"}
            command = [sys.executable, "-m", service]
            return stack.enter_context(start_service(command, environment, log=logs / service))

        def database(service: str) -> dict[str, str]:
            name = postgres.create_migrated_database(service)
            stack.callback(postgres.drop_database, name)
            return postgres.settings(name)

        catalog = start("catalog", **database("catalog"), **messages)
        orders = start("orders", catalog_url=catalog.url, **database("orders"), **messages)
        gateway = start("gateway", catalog_url=catalog.url, orders_url=orders.url, **redis.settings())
        yield Shop(catalog=catalog, orders=orders, gateway=gateway, rabbitmq=rabbitmq)


@pytest.fixture(scope="session")
def shop(
    postgres: PostgresServer,
    redis_server: RedisServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """A shop that tests share: each adds products, customers and request ids of its own, and leaves it running."""
    with _open_shop(postgres, redis_server, rabbitmq_server, tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture
def own_shop(
    postgres: PostgresServer, redis_server: RedisServer, rabbitmq_server: RabbitServer, tmp_path: Path
) -> Iterator[Shop]:
    """A shop for one test that stops parts of it."""
    with _open_shop(postgres, redis_server, rabbitmq_server, tmp_path) as found:
        yield found
