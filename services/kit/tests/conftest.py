from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter

from cartwright_kit import Resource, ServiceSettings, create_app
from cartwright_kit.testing import client_of

ClientFactory = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the machine reaches a test."""
    for name in ("PORT", "HOST", "LOG_LEVEL", "OTEL_EXPORTER_OTLP_ENDPOINT", "SERVICE_VERSION", "SERVICE_REVISION"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.fixture
def serve() -> ClientFactory:
    """A function that builds an application from a router and resources and gives a client of it."""

    @asynccontextmanager
    async def start(
        router: APIRouter | None = None, *resources: Resource, settings: ServiceSettings | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(
            settings or ServiceSettings(),
            service="shelf",
            version="1.2.3",
            description="For tests.",
            routers=[router] if router else [],
            resources=resources,
        )
        async with client_of(app) as client:
            client.app = app  # type: ignore[attr-defined]
            yield client

    return start
