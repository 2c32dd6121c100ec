"""Moments, durations and single lines of text, as commit trailers, decision files and options hold them."""

from __future__ import annotations

import datetime
import re

from cartwright.kernel.errors import UserError

__all__ = ["instant", "one_line", "parse_duration", "parse_instant", "say_duration"]

_PART = re.compile(r"([0-9]+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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


def parse_duration(text: str) -> datetime.timedelta:
    """A duration as environment.yaml and options write it.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)

    Raises:
        UserError: it is none.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UserError(f"'{text}' is not a duration", hint="such as 90s, 10m, 1h30m or 2d")
    try:
        return sum((datetime.timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), datetime.timedelta())
    except OverflowError:
        raise UserError(f"'{text}' is longer than a calendar knows") from None


def say_duration(duration: datetime.timedelta) -> str:
    """A duration for people: its two largest units.

    >>> say_duration(datetime.timedelta(seconds=5430))
    '1h30m'
    """
    seconds = max(0, int(duration.total_seconds()))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size:
            parts.append(f"{seconds // size}{unit}")
            seconds %= size
    return "".join(parts[:2]) or "0s"
