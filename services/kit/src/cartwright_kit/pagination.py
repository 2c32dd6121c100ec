"""Keyset pagination: a page begins after the last row of the one before, so inserts never shift it."""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, core_schema
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from cartwright_kit.schemas import Schema


@dataclass(frozen=True)
class Cursor:
    """The place after one row, in the order (created_at, id). Opaque to clients.

    Example: `Cursor.decode(cursor.encode()) == cursor`
    """

    created_at: datetime
    id: uuid.UUID

    def encode(self) -> str:
        """As a URL-safe string."""
        raw = json.dumps([self.created_at.isoformat(), self.id.hex], separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """The cursor that `encode` wrote. Raises ValueError for anything else."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            created_at, identifier = json.loads(raw)
            cursor = cls(datetime.fromisoformat(created_at), uuid.UUID(hex=identifier))
        except (binascii.Error, UnicodeDecodeError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("is not a cursor that this service gave out") from error
        if cursor.created_at.tzinfo is None or cursor.encode() != text:
            raise ValueError("is not a cursor that this service gave out")
        return cursor

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        def parse(text: str) -> Cursor:
            try:
                return cls.decode(text)
            except ValueError as error:
                raise PydanticCustomError("cursor", "{reason}", {"reason": str(error)}) from error

        return core_schema.no_info_after_validator_function(parse, core_schema.str_schema(max_length=256))


class PageParameters(BaseModel):
    """The query of a listing. Subclass it to add filters; other parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=20, ge=1, le=100)
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before")


PageQuery = Annotated[PageParameters, Query()]

ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT")


class Page(Schema, Generic[ItemT]):
    """Some items in order; `next_cursor` is null on the last page."""

    items: list[ItemT]
    next_cursor: str | None


def page_statement(
    statement: Select[RowT],
    parameters: PageParameters,
    *,
    created_at: InstrumentedAttribute[datetime],
    identifier: InstrumentedAttribute[uuid.UUID],
) -> Select[RowT]:
    """The statement limited to one page, oldest first, with one row more to tell whether another page follows.

    An index over both columns, in this order, makes every page equally fast.
    """
    if parameters.cursor is not None:
        after = (parameters.cursor.created_at, parameters.cursor.id)
        statement = statement.where(tuple_(created_at, identifier) > after)
    return statement.order_by(created_at, identifier).limit(parameters.limit + 1)


def make_page(rows: Sequence[Any], parameters: PageParameters, render: Callable[[Any], ItemT]) -> Page[ItemT]:
    """A page from the rows that `page_statement` selected; each has `created_at` and `id`."""
    shown = rows[: parameters.limit]
    more = len(rows) > parameters.limit
    return Page(
        items=[render(row) for row in shown],
        next_cursor=Cursor(shown[-1].created_at, shown[-1].id).encode() if more else None,
    )
