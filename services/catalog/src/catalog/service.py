"""What catalog does, apart from HTTP and SQL."""

import uuid
from http import HTTPStatus

from cartwright_kit import Page, PageParameters, Problem, make_page
from catalog.models import Product
from catalog.repository import ProductRepository
from catalog.schemas import ProductCreate, ProductPublic, ProductUpdate, StockAdjustment


class ProductNotFound(Problem):
    """No product has this id."""

    status = HTTPStatus.NOT_FOUND
    slug = "product-not-found"
    title = "Product not found"


class SkuTaken(Problem):
    """Another product has this SKU."""

    status = HTTPStatus.CONFLICT
    slug = "sku-taken"
    title = "SKU taken"


class StockOutOfRange(Problem):
    """The stock would be negative, or larger than a stock can be."""

    status = HTTPStatus.CONFLICT
    slug = "stock-out-of-range"
    title = "Stock out of range"


class CatalogService:
    """The operations on products. Each raises the problems its docstring names."""

    def __init__(self, products: ProductRepository) -> None:
        self._products = products

    async def create(self, new: ProductCreate) -> ProductPublic:
        """Add a product. Raises SkuTaken."""
        product = await self._products.add(new)
        if product is None:
            raise SkuTaken(f"A product with SKU {new.sku} exists.")
        return ProductPublic.of(product)

    async def read(self, product_id: uuid.UUID) -> ProductPublic:
        """One product. Raises ProductNotFound."""
        return ProductPublic.of(await self._existing(product_id))

    async def list_page(self, parameters: PageParameters) -> Page[ProductPublic]:
        """A page of products, oldest first."""
        return make_page(await self._products.list_page(parameters), parameters, ProductPublic.of)

    async def update(self, product_id: uuid.UUID, changes: ProductUpdate) -> ProductPublic:
        """Change the given fields. Raises ProductNotFound."""
        product = await self._products.update(product_id, changes)
        if product is None:
            raise _not_found(product_id)
        return ProductPublic.of(product)

    async def adjust_stock(self, product_id: uuid.UUID, adjustment: StockAdjustment) -> ProductPublic:
        """Add to the stock or take from it, all or nothing. Raises ProductNotFound, StockOutOfRange."""
        product = await self._products.adjust_stock(product_id, adjustment.delta)
        if product is None:
            existing = await self._existing(product_id)
            raise StockOutOfRange(
                f"The stock is {existing.stock}; {adjustment.delta:+d} cannot be applied.",
                extensions={"stock": existing.stock},
            )
        return ProductPublic.of(product)

    async def _existing(self, product_id: uuid.UUID) -> Product:
        product = await self._products.get(product_id)
        if product is None:
            raise _not_found(product_id)
        return product


def _not_found(product_id: uuid.UUID) -> ProductNotFound:
    return ProductNotFound(f"No product has the id {product_id}.")
