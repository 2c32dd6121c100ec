"""What orders asks of catalog."""

import asyncio
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cartwright_kit import HttpClient, Money, UpstreamFailed

_AT_ONCE = 5


class CatalogProduct(BaseModel):
    """The part of catalog's answer that orders depends on; catalog may add to it freely."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: uuid.UUID
    sku: str
    name: str
    price: Money
    stock: int


class CatalogClient(HttpClient):
    """A client of catalog."""

    name: ClassVar[str] = "catalog"

    async def products(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, CatalogProduct]:
        """The products with these ids; unknown ones are left out. Raises the problems of `HttpClient.request`."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def read(product_id: uuid.UUID) -> CatalogProduct | None:
            async with gate:
                return await self._product(product_id)

        tasks: list[asyncio.Task[CatalogProduct | None]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(read(product_id)) for product_id in ids]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return {product.id: product for task in tasks if (product := task.result()) is not None}

    async def _product(self, product_id: uuid.UUID) -> CatalogProduct | None:
        response = await self.request("GET", f"/products/{product_id}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            if response.status_code != HTTPStatus.OK:
                raise ValueError(f"status {response.status_code}")
            return CatalogProduct.model_validate_json(response.content)
        except (ValidationError, ValueError) as error:
            raise UpstreamFailed("catalog answered outside its contract.") from error
