"""The orders application."""

from importlib.metadata import version

import httpx
from fastapi import FastAPI

import cartwright_kit as kit
from orders.catalog import CatalogClient
from orders.endpoints import router
from orders.events import EXCHANGE
from orders.models import Outbox
from orders.settings import Settings


def create_app(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The application, not yet connected to anything. A transport replaces the network on the way to catalog."""
    database = kit.Database(settings)
    return kit.create_app(
        settings,
        service="orders",
        version=version("cartwright-orders"),
        description="Orders of the shop: placed at catalog's prices, then paid, shipped or cancelled.",
        routers=[router],
        resources=[
            database,
            CatalogClient(str(settings.catalog_url), transport=transport),
            kit.OutboxPublisher(settings, database=database, table=Outbox, exchange=EXCHANGE),
        ],
    )
