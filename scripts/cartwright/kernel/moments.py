"""Moments and single lines of text, as commit trailers and decision files hold them."""

from __future__ import annotations

import datetime

from cartwright.kernel.errors import UserError

__all__ = ["instant", "one_line", "parse_instant"]


def one_line(value: str, what: str) -> str:
    """The value, proved to be one line of text without control characters.

    Raises:
        UserError: it is empty, or is not one line.
    """
    if not value.strip() or any(ord(char) < 32 or char in "\x7f\x85\u2028\u2029" for char in value):
        raise UserError(f"{what} {value!r}: expected one line of text")
    return value.strip()


def instant(moment: datetime.datetime) -> str:
    """A moment as RFC 3339 writes it, in UTC and whole seconds: ``2026-11-21T08:00:00Z``."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> datetime.datetime | None:
    """The moment that an RFC 3339 text names; None where it names none, or says no offset from UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
