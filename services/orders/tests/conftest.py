import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from cartwright_kit.testing import client_of
from cartwright_kit.testing_rabbitmq import unreachable_rabbitmq
from orders.app import create_app
from orders.settings import Settings


class FakeCatalog:
    """Answers as catalog does, from products that the test adds."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, Any]] = {}
        self.requests: list[httpx.Request] = []
        self.failure: httpx.Response | Exception | None = None

    def add(self, *, amount: int = 1250, currency: str = "EUR", stock: int = 10) -> str:
        product_id = str(uuid.uuid4())
        self.products[product_id] = {
            "id": product_id,
            "sku": f"SKU-{len(self.products)}",
            "name": "Mug",
            "description": "a field that orders does not know",
            "price": {"amount": amount, "currency": currency},
            "stock": stock,
        }
        return product_id

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        product = self.products.get(request.url.path.removeprefix("/products/"))
        return httpx.Response(404, json={}) if product is None else httpx.Response(200, json=product)


@pytest.fixture
def catalog() -> FakeCatalog:
    return FakeCatalog()


@pytest.fixture
def settings(create_database: Callable[[str], dict[str, str]]) -> Settings:
    """Without RabbitMQ: placing orders must not need it."""
    return Settings(catalog_url="http://catalog.test", **create_database("orders"), **unreachable_rabbitmq())


@pytest.fixture
async def client(settings: Settings, catalog: FakeCatalog) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings, transport=httpx.MockTransport(catalog))) as found:
        yield found
