"""Holds: an app that keeps its release. A rollback leaves one, so that nobody's automation undoes it."""

from __future__ import annotations

from cartwright.kernel.moments import instant
from cartwright.promotion.gates.case import Case
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "hold"


def judge(case: Case) -> Verdict:
    """Code: ``held``. A rollback is a person's and goes past holds; so does ``--override-hold`` with its reason."""
    holds = [
        hold
        for hold in case.context.snapshot.state(case.target.name).holds
        if hold.app == case.app and hold.is_active(case.now)
    ]
    if not holds:
        return case.passed(GATE, f"nothing holds {case.app} in {case.target.name}")
    last = max(holds, key=lambda hold: hold.until)
    held = f"{case.app} is held in {case.target.name} until {instant(last.until)} by {last.by}: {last.reason}"
    if case.is_rollback:
        return case.passed(GATE, f"{held}; a rollback goes past it")
    if last.release and set(last.release.digest.split()) == set(case.move.release.digests):
        return case.passed(GATE, f"{held}; {case.release} is the release that it keeps")
    return case.blocked(GATE, "held", held, until=last.until)
