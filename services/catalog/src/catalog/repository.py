"""Every query of catalog."""

import uuid
from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from cartwright_kit import PageParameters, page_statement
from catalog.models import Product
from catalog.schemas import MAX_STOCK, ProductCreate, ProductUpdate


class ProductRepository:
    """Products in the database of this session. Nothing is committed here."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, new: ProductCreate) -> Product | None:
        """Store a product. None if its SKU is taken."""
        statement = (
            insert(Product)
            .values(
                sku=new.sku,
                name=new.name,
                description=new.description,
                price_amount=new.price.amount,
                price_currency=new.price.currency,
                stock=new.stock,
            )
            .on_conflict_do_nothing(index_elements=[Product.sku])
            .returning(Product)
        )
        return await self._session.scalar(statement)

    async def get(self, product_id: uuid.UUID) -> Product | None:
        """The product with this id."""
        return await self._session.get(Product, product_id)

    async def list_page(self, parameters: PageParameters) -> Sequence[Product]:
        """One page of products and, if there are more, one product of the next."""
        statement = page_statement(select(Product), parameters, created_at=Product.created_at, identifier=Product.id)
        return (await self._session.scalars(statement)).all()

    async def update(self, product_id: uuid.UUID, changes: ProductUpdate) -> Product | None:
        """Change the fields that `changes` sets, in one statement. None if there is no such product."""
        given = changes.model_dump(exclude_unset=True)
        if (price := given.pop("price", None)) is not None:
            given |= {"price_amount": price["amount"], "price_currency": price["currency"]}
        if not given:
            return await self.get(product_id)
        return await self._session.scalar(
            update(Product)
            .where(Product.id == product_id)
            .values(**given, updated_at=func.now())
            .returning(Product)
            .execution_options(populate_existing=True)
        )

    async def adjust_stock(self, product_id: uuid.UUID, delta: int) -> Product | None:
        """Add `delta` to the stock, in one statement. None if no such product exists or the sum is out of range."""
        return await self._session.scalar(
            update(Product)
            .where(Product.id == product_id, (Product.stock + delta).between(0, MAX_STOCK))
            .values(stock=Product.stock + delta, updated_at=func.now())
            .returning(Product)
            .execution_options(populate_existing=True)
        )
