from collections.abc import AsyncIterator

import httpx
import pytest

from cartwright_kit.testing import RedisServer, client_of
from gateway.app import create_app
from gateway.settings import Settings


class FakeServices:
    """Stands for catalog and orders: gives one answer, keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: httpx.Response | Exception = httpx.Response(200, json={"items": []})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
def settings() -> Settings:
    """Settings with a Redis that nobody runs, so that requests are not counted."""
    return Settings(
        catalog_url="http://catalog.test",
        orders_url="http://orders.test",
        redis_host="127.0.0.1",
        redis_port=1,
        redis_password="not-used",
    )


@pytest.fixture
def counting(settings: Settings, redis_server: RedisServer) -> Settings:
    """Settings with a real Redis and room for three requests in a window too long to end during a test."""
    redis_server.flush()
    return Settings.model_validate(
        settings.model_dump()
        | redis_server.settings()
        | {"rate_limit_requests": 3, "rate_limit_window_seconds": 100_000, "redis_timeout_seconds": 5}
    )


@pytest.fixture
async def client(settings: Settings, services: FakeServices) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings, transport=httpx.MockTransport(services))) as found:
        yield found
