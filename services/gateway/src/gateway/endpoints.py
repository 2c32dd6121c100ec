"""The public HTTP interface of the shop.

Only what customers do is public: adding and changing products is for callers inside the cluster. Bodies are judged by
the service behind, whose problem documents pass through unchanged.
"""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cartwright_kit import (
    HttpClient,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
    problem_responses,
    resource,
)
from gateway.ratelimit import RateLimitExceeded, RateLimitHeaders
from gateway.service import CatalogUpstream, OrdersUpstream, forward

router = APIRouter(responses=problem_responses(RateLimitExceeded, UpstreamFailed, UpstreamUnavailable, UpstreamTimeout))


class _Exchange:
    """A request to be passed on, already counted."""

    def __init__(self, request: Request, limit: dict[str, str]) -> None:
        self._request = request
        self._limit = limit

    async def forward(self, upstream: HttpClient, path: str) -> Response:
        answer = await forward(
            upstream,
            self._request.method,
            path,
            query=self._request.url.query,
            headers=self._request.headers,
            body=await self._request.body(),
        )
        return Response(answer.content, status_code=answer.status_code, headers={**answer.headers, **self._limit})


async def _exchange(request: Request, limit: RateLimitHeaders) -> _Exchange:
    return _Exchange(request, limit)


Exchange = Annotated[_Exchange, Depends(_exchange)]
Catalog = Annotated[CatalogUpstream, Depends(resource(CatalogUpstream))]
Orders = Annotated[OrdersUpstream, Depends(resource(OrdersUpstream))]


@router.get("/products", tags=["products"])
async def list_products(exchange: Exchange, catalog: Catalog) -> Response:
    """Products, a page at a time."""
    return await exchange.forward(catalog, "/products")


@router.get("/products/{product_id}", tags=["products"])
async def read_product(product_id: uuid.UUID, exchange: Exchange, catalog: Catalog) -> Response:
    """One product."""
    return await exchange.forward(catalog, f"/products/{product_id}")


@router.post("/orders", tags=["orders"], status_code=201)
async def place_order(exchange: Exchange, orders: Orders) -> Response:
    """Place an order; the header `Idempotency-Key` makes it safe to repeat."""
    return await exchange.forward(orders, "/orders")


@router.get("/orders", tags=["orders"])
async def list_orders(exchange: Exchange, orders: Orders) -> Response:
    """Orders, a page at a time."""
    return await exchange.forward(orders, "/orders")


@router.get("/orders/{order_id}", tags=["orders"])
async def read_order(order_id: uuid.UUID, exchange: Exchange, orders: Orders) -> Response:
    """One order."""
    return await exchange.forward(orders, f"/orders/{order_id}")


@router.put("/orders/{order_id}/status", tags=["orders"])
async def change_order_status(order_id: uuid.UUID, exchange: Exchange, orders: Orders) -> Response:
    """Bring an order into a state."""
    return await exchange.forward(orders, f"/orders/{order_id}/status")
