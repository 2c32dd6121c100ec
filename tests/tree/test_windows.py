"""Freeze windows that Argo CD would not read, or would read in another way, are refused when they are loaded."""

from __future__ import annotations

import pytest

from cartwright.kernel.errors import UserError
from cartwright.tree.windows import check_windows, schedule_problem

DAY_FIELDS = "list the days of one of them, without '*'"


@pytest.mark.parametrize(
    "schedule",
    ["0 16 * * 5", "0 0 24 12 *", "*/15 8-18 * * mon-FRI", "5/20 * * * *", "0 0 1,15 Jan,7 *", "0 0 13 * 5"],
)
def test_a_schedule_that_both_read_alike_is_taken(schedule: str) -> None:
    assert schedule_problem(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("0 0 * * 7", "day of week '7': 7 is not from 0 to 6"),
        ("0 0 * * 0-7", "day of week '0-7': 7 is not from 0 to 6"),
        ("0 0 L * *", "day of month 'L': expected numbers, ranges such as 1-5, '*', and steps such as */15"),
        ("0 0 * * 5#2", "day of week '5#2': expected numbers, ranges such as 1-5, '*', and steps such as */15"),
        ("60 * * * *", "minute '60': 60 is not from 0 to 59"),
        ("0 0 * * fri-mon", "day of week 'fri-mon': fri-mon ends before it begins"),
        ("*/0 * * * *", "minute '*/0': a step of 0 never ends"),
        ("0 0 * fbr *", "month 'fbr': fbr is not from 1 to 12"),
        ("0 0 * * 5,", "day of week '5,': expected numbers, ranges such as 1-5, '*', and steps such as */15"),
        ("0 0 */2 * 5", f"day of month '*/2' and day of week '5': {DAY_FIELDS}"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("@hourly", "it has 1 fields, not 5"),
    ],
)
def test_a_schedule_that_argo_cd_refuses_or_reads_otherwise_is_none(schedule: str, problem: str) -> None:
    assert schedule_problem(schedule) == problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "schedule: 0 0 * * 7",
            "environment.yaml:4: '0 0 * * 7' is not a schedule: day of week '7': 7 is not from 0 to 6 "
            "(five fields of cron, as Argo CD reads them)",
        ),
        (
            "timeZone: Europe/Berlni",
            "environment.yaml:4: 'Europe/Berlni' is not a time zone (an IANA name such as Europe/Berlin)",
        ),
    ],
    ids=["schedule", "time zone"],
)
def test_a_window_is_refused_with_its_line(change: str, message: str) -> None:
    key, _, value = change.partition(": ")
    window = {"schedule": "0 0 * * *", "timeZone": "UTC", key: value}
    with pytest.raises(UserError) as error:
        check_windows(f"gates:\n  freezes:\n  - reason: x\n    {change}\n", "environment.yaml", {"freezes": [window]})
    assert str(error.value) == message
