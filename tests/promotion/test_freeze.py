"""Freeze windows: read in their own zone, daylight saving included, against a reading minute by minute."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.kernel.moments import parse_duration
from cartwright.promotion.gates.freeze import Freezes
from cartwright.tree.environments import Environment

BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = {"reason": "Weekend", "schedule": "0 16 * * 5", "duration": "64h", "timeZone": "Europe/Berlin"}
NIGHT = {"reason": "Night", "schedule": "30 2 * * *", "duration": "1h", "timeZone": "Europe/Berlin"}


def until(moment: datetime.datetime, *windows: dict[str, str]) -> datetime.datetime | None:
    content: dict[str, Any] = {"gates": {"freezes": list(windows)}}
    target = Environment(name="prod", cluster="prod", rank=1, upstreams=(), parameters={}, content=content)
    return Freezes(target, decided=(), text="").until(moment)


def berlin(*parts: int, fold: int = 0) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=BERLIN, fold=fold)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("friday", "end"),
    [
        pytest.param((2026, 3, 20), (2026, 3, 23, 8, 0), id="a weekend like others"),
        pytest.param((2026, 3, 27), (2026, 3, 30, 9, 0), id="clocks go forward, so it ends an hour later by the wall"),
        pytest.param((2026, 10, 23), (2026, 10, 26, 7, 0), id="clocks go back, so it ends an hour earlier by the wall"),
    ],
)
def test_a_window_over_a_change_of_clocks_opens_by_the_wall_and_lasts_as_long_as_it_says(
    friday: tuple[int, int, int], end: tuple[int, int, int, int, int]
) -> None:
    begin = berlin(*friday, 16, 0)
    second = datetime.timedelta(seconds=1)
    assert until(begin.astimezone(datetime.UTC) - second, WEEKEND) is None
    for moment in (begin.astimezone(datetime.UTC), berlin(*end).astimezone(datetime.UTC) - second):
        assert until(moment, WEEKEND) == berlin(*end)
    assert until(berlin(*end).astimezone(datetime.UTC), WEEKEND) is None


def test_an_opening_in_the_hour_that_the_clocks_leave_out_comes_right_after_it() -> None:
    forward = datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.UTC)  # 02:00 becomes 03:00
    assert until(forward - datetime.timedelta(seconds=1), NIGHT) is None
    assert until(forward + datetime.timedelta(minutes=30), NIGHT) is not None


def test_an_opening_in_the_hour_that_comes_twice_counts_once() -> None:
    first = berlin(2026, 10, 25, 2, 30, fold=0).astimezone(datetime.UTC)
    assert until(first, NIGHT) == first + datetime.timedelta(hours=1)
    assert until(first + datetime.timedelta(hours=1), NIGHT) is None, "the second 02:30 opens nothing"


HOURLY = {"reason": "On the hour", "schedule": "0 * * * *", "duration": "20m", "timeZone": "Europe/Berlin"}


@pytest.mark.parametrize("day", [(2026, 3, 28, 22), (2026, 10, 24, 22)], ids=["forward", "back"])
def test_an_hourly_window_opens_every_real_hour_over_a_change_of_clocks(day: tuple[int, int, int, int]) -> None:
    begin = datetime.datetime(*day, tzinfo=datetime.UTC)
    moments = [begin + datetime.timedelta(minutes=minute) for minute in range(0, 6 * 60, 5)]
    assert [moment for moment in moments if until(moment, HOURLY)] == [one for one in moments if one.minute < 20]


def test_a_window_that_the_second_of_two_equal_hours_ends_in_is_seen_from_there() -> None:
    first = berlin(2026, 10, 25, 2, 30, fold=0).astimezone(datetime.UTC)
    long = {**NIGHT, "duration": "2h"}
    for minute in range(0, 120, 5):
        assert until(first + datetime.timedelta(minutes=minute), long) == first + datetime.timedelta(hours=2), minute


def test_the_same_schedule_means_another_moment_in_another_zone() -> None:
    moment = datetime.datetime(2026, 1, 5, 3, 0, tzinfo=datetime.UTC)
    morning = {"reason": "x", "schedule": "0 9 * * *", "duration": "2h"}
    assert until(moment, {**morning, "timeZone": "Asia/Shanghai"}) is None
    assert until(moment, {**morning, "timeZone": "Asia/Kolkata"}) is None
    assert until(moment, {**morning, "timeZone": "Asia/Tokyo"}) is None
    assert until(moment - datetime.timedelta(hours=2), {**morning, "timeZone": "Asia/Shanghai"}) == moment


def test_a_window_that_never_closes_is_said_to_last_a_year() -> None:
    always = {"reason": "x", "schedule": "0 0 * * *", "duration": "25h", "timeZone": "UTC"}
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    found = until(now, always)
    assert found is not None and found - now >= datetime.timedelta(days=366)


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "America/St_Johns"]
WINDOWS = st.fixed_dictionaries(
    {
        "reason": st.just("x"),
        "schedule": st.builds(
            lambda minute, hour, day: f"{minute} {hour} * * {day}",
            st.sampled_from(["0", "15", "30", "59"]),
            st.sampled_from(["1", "2", "3", "16", "*/6"]),
            st.sampled_from(["*", "0", "5", "1-5"]),
        ),
        "duration": st.sampled_from(["1m", "45m", "1h30m", "5h", "64h"]),
        "timeZone": st.sampled_from(ZONES),
    }
)
MOMENTS = st.datetimes(
    datetime.datetime(2026, 1, 1), datetime.datetime(2027, 1, 1), timezones=st.just(datetime.UTC)
).map(lambda moment: moment.replace(microsecond=0))
"""Among them the days around which these zones change their clocks."""
CHANGES = st.sampled_from([(3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1)]).flatmap(
    lambda day: st.integers(0, 48 * 60).map(
        lambda minute: datetime.datetime(2026, *day, tzinfo=datetime.UTC) + datetime.timedelta(minutes=minute - 24 * 60)
    )
)


def is_frozen(moment: datetime.datetime, window: dict[str, str]) -> bool:
    """By going forward through the openings from long before: another way than the engine's."""
    zone, duration = ZoneInfo(window["timeZone"]), parse_duration(window["duration"])
    for opening in CronSim(window["schedule"], (moment - duration - datetime.timedelta(days=1)).astimezone(zone)):
        begin = opening.astimezone(datetime.UTC)
        if begin > moment:
            return False
        if moment < begin + duration:
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(moment=MOMENTS | CHANGES, windows=st.lists(WINDOWS, min_size=1, max_size=2))
def test_the_end_of_a_freeze_is_the_first_moment_that_no_window_covers(
    moment: datetime.datetime, windows: list[dict[str, str]]
) -> None:
    end = until(moment, *windows)
    frozen = any(is_frozen(moment, window) for window in windows)
    assert (end is not None) == frozen
    if end is not None and end - moment < datetime.timedelta(days=366):
        assert not any(is_frozen(end, window) for window in windows)
        assert any(is_frozen(end - datetime.timedelta(seconds=1), window) for window in windows)
