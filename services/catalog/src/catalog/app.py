"""The catalog application."""

from importlib.metadata import version

from fastapi import FastAPI

import cartwright_kit as kit
from catalog.endpoints import router
from catalog.events import OrderEvents
from catalog.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application, not yet connected to anything."""
    database = kit.Database(settings)
    return kit.create_app(
        settings,
        service="catalog",
        version=version("cartwright-catalog"),
        description="Products of the shop, their prices and stock.",
        routers=[router],
        resources=[database, OrderEvents(settings, database)],
    )
