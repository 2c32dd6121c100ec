"""The HTTP interface of catalog."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from cartwright_kit import DatabaseUnavailable, Page, PageQuery, Session, problem_responses
from catalog.repository import ProductRepository
from catalog.schemas import ProductCreate, ProductPublic, ProductUpdate, StockAdjustment
from catalog.service import CatalogService, ProductNotFound, SkuTaken, StockOutOfRange

router = APIRouter(prefix="/products", tags=["products"], responses=problem_responses(DatabaseUnavailable))


async def _service(session: Session) -> CatalogService:
    return CatalogService(ProductRepository(session))


Service = Annotated[CatalogService, Depends(_service)]


@router.post("", status_code=201, responses=problem_responses(SkuTaken))
async def create_product(new: ProductCreate, service: Service, response: Response) -> ProductPublic:
    """Add a product."""
    product = await service.create(new)
    response.headers["Location"] = f"/products/{product.id}"
    return product


@router.get("")
async def list_products(parameters: PageQuery, service: Service) -> Page[ProductPublic]:
    """Products in the order of their creation, a page at a time."""
    return await service.list_page(parameters)


@router.get("/{product_id}", responses=problem_responses(ProductNotFound))
async def read_product(product_id: uuid.UUID, service: Service) -> ProductPublic:
    """One product."""
    return await service.read(product_id)


@router.patch("/{product_id}", responses=problem_responses(ProductNotFound))
async def update_product(product_id: uuid.UUID, changes: ProductUpdate, service: Service) -> ProductPublic:
    """Change some fields of a product."""
    return await service.update(product_id, changes)


@router.post("/{product_id}/stock-adjustments", responses=problem_responses(ProductNotFound, StockOutOfRange))
async def adjust_stock(product_id: uuid.UUID, adjustment: StockAdjustment, service: Service) -> ProductPublic:
    """Add to a product's stock, or take from it. The answer is the product as it is then."""
    return await service.adjust_stock(product_id, adjustment)
