from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from cartwright_kit.testing import client_of
from cartwright_kit.testing_rabbitmq import unreachable_rabbitmq
from catalog.app import create_app
from catalog.settings import Settings


@pytest.fixture
def settings(create_database: Callable[[str], dict[str, str]]) -> Settings:
    """Without RabbitMQ: selling must not need it."""
    return Settings(**create_database("catalog"), **unreachable_rabbitmq())


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings)) as found:
        yield found
