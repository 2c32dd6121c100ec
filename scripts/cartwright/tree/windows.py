"""Freeze windows of an environment.yaml, proved when it is loaded: a window that can't be read would freeze nothing.

A schedule is what Argo CD's sync windows take (robfig/cron, five fields) and what cronsim reads the same way, so that
one line can stand in both places and mean one thing.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cartwright.kernel.errors import UserError
from cartwright.yaml.read import line_of, nodes

__all__ = ["check_windows", "schedule_problem"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
"""What each field is called, its lowest and highest number, and the names that stand for numbers."""
_ITEM = re.compile(r"(?:\*|(?P<low>[0-9]+|[a-z]{3})(?:-(?P<high>[0-9]+|[a-z]{3}))?)(?:/(?P<step>[0-9]+))?")

_ANY_TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def check_windows(text: str, file: str, gates: Mapping[str, Any]) -> None:
    """Prove that every freeze window can be read.

    Args:
        text: the environment.yaml.
        file: its path, for errors.
        gates: its gates, as they fit the schema.

    Raises:
        UserError: a schedule or a time zone that is none: file and line.
    """
    for number, window in enumerate(gates.get("freezes", ())):
        zone, schedule = window["timeZone"], window["schedule"]
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            line = line_of(next(nodes(text, file)), ["gates", "freezes", number, "timeZone"])[0]
            hint = "an IANA name such as Europe/Berlin"
            raise UserError(f"'{zone}' is not a time zone", file=file, line=line, hint=hint) from error
        problem = schedule_problem(schedule)
        if problem:
            line = line_of(next(nodes(text, file)), ["gates", "freezes", number, "schedule"])[0]
            hint = "five fields of cron, as Argo CD reads them"
            raise UserError(f"'{schedule}' is not a schedule: {problem}", file=file, line=line, hint=hint)


def schedule_problem(schedule: str) -> str | None:
    """Why Argo CD and cronsim do not read a schedule alike; None where they do.

    >>> schedule_problem("0 16 * * 5")
    >>> schedule_problem("0 16 * * 7")
    "day of week '7': 7 is not from 0 to 6"
    """
    from cronsim import CronSim, CronSimError

    words = schedule.split()
    if len(words) != len(_FIELDS):
        return f"it has {len(words)} fields, not {len(_FIELDS)}"
    for word, (name, least, most, names) in zip(words, _FIELDS, strict=True):
        for item in word.lower().split(","):
            problem = _item_problem(item, least, most, names)
            if problem:
                return f"{name} '{word}': {problem}"
    day, weekday = words[2], words[4]
    if "*" not in {day, weekday} and "*" in day + weekday:
        # Argo CD takes days that fit either field here, cronsim days that fit both.
        return f"day of month '{day}' and day of week '{weekday}': list the days of one of them, without '*'"
    try:
        CronSim(schedule, _ANY_TIME)
    except CronSimError as error:
        return str(error)
    return None


def _item_problem(item: str, least: int, most: int, names: Mapping[str, int]) -> str | None:
    match = _ITEM.fullmatch(item)
    if match is None:
        return "expected numbers, ranges such as 1-5, '*', and steps such as */15"
    if match["step"] is not None and not int(match["step"]):
        return "a step of 0 never ends"
    numbers = []
    for value in (match["low"], match["high"]):
        if value is None:
            continue
        number = names.get(value) if value.isalpha() else int(value)
        if number is None or not least <= number <= most:
            return f"{value} is not from {least} to {most}"
        numbers.append(number)
    if numbers != sorted(numbers):
        return f"{item} ends before it begins"
    return None
