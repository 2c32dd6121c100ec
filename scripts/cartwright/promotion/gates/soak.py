"""Soak: the release has run in every upstream long enough, without a break.

Time counts from the commit that brought the release there: its images, or a change of its base or components where that
came later. A commit from the future counts as nothing: whose clock is wrong can't be told, and waiting is safe.
"""

from __future__ import annotations

import datetime

from cartwright.kernel.moments import say_duration
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import is_soaked, soak_asked
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "soak"


def judge(case: Case) -> Verdict:
    """Codes: ``soak-short``, ``soak-future`` (the commit is dated after now), ``soak-unknown`` (nothing ran there)."""
    wanted = soak_asked(case.gates)
    if case.is_rollback:
        return case.not_asked(GATE, f"{case.release} has soaked before")
    if not wanted or not case.upstreams:
        return case.not_asked(GATE, f"{case.target.name} asks for no soak")
    verdicts = [_soaked(case, upstream.name, wanted) for upstream in case.upstreams]
    blocked = [one for one in verdicts if not one.passed]
    if blocked:
        return max(blocked, key=lambda one: one.until or datetime.datetime.max.replace(tzinfo=datetime.UTC))
    return verdicts[0] if len(verdicts) == 1 else case.passed(GATE, "; ".join(one.sentence for one in verdicts))


def _soaked(case: Case, upstream: str, wanted: datetime.timedelta) -> Verdict:
    running, what = case.since(upstream), case.release
    if running is None:
        return case.blocked(GATE, "soak-unknown", f"{upstream} does not run {case.release}, so it has not soaked there")
    age, until = case.now - running.since, running.since + wanted
    if is_soaked(wanted, since=running.since, now=case.now):
        return case.passed(GATE, f"{what} has run in {upstream} for {say_duration(age)}")
    if age < datetime.timedelta():
        return case.blocked(
            GATE,
            "soak-future",
            f"commit {running.commit[:7]}, which brought {what} to {upstream}, is dated {say_duration(-age)} "
            f"in the future, so its soak counts as nothing (is a clock wrong?)",
            until=until,
        )
    return case.blocked(
        GATE,
        "soak-short",
        f"{what} has run in {upstream} for {say_duration(age)} of the {say_duration(wanted)} that "
        f"{case.target.name} asks for",
        until=until,
    )
