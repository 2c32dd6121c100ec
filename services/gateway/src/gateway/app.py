"""The gateway application."""

from importlib.metadata import version

import httpx
from fastapi import FastAPI

import cartwright_kit as kit
from gateway.endpoints import router
from gateway.ratelimit import RateLimiter
from gateway.repository import RequestCounts
from gateway.service import CatalogUpstream, OrdersUpstream
from gateway.settings import Settings


def create_app(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The application, not yet connected to anything. A transport replaces the network on the way to the services."""
    seconds = settings.upstream_timeout_seconds
    return kit.create_app(
        settings,
        service="gateway",
        version=version("cartwright-gateway"),
        description="The public API of the shop. Requests are limited per client; failures are problem documents.",
        routers=[router],
        resources=[
            CatalogUpstream(str(settings.catalog_url), attempts=2, deadline=seconds, transport=transport),
            OrdersUpstream(str(settings.orders_url), attempts=2, deadline=seconds, transport=transport),
            RateLimiter(
                RequestCounts(settings),
                requests=settings.rate_limit_requests,
                window_seconds=settings.rate_limit_window_seconds,
            ),
        ],
    )
