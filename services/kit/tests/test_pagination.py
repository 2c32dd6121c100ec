import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwright_kit import Cursor

CURSORS = st.builds(Cursor, st.datetimes(timezones=st.just(UTC)), st.uuids())


@given(CURSORS)
def test_a_cursor_read_back_is_the_same(cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode()) == cursor


@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_anything_else_is_refused_with_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor that this service gave out"):
        Cursor.decode(text)


def test_a_time_without_zone_is_refused() -> None:
    naive = Cursor(datetime(2026, 1, 1), uuid.UUID(int=1)).encode()
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.decode(naive)
