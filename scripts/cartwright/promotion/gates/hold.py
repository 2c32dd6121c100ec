"""Holds: an app that keeps its release. A rollback leaves one, so that nobody's automation undoes it."""

from __future__ import annotations

from cartwright.kernel.moments import instant
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import keeps, other_config, standing_hold
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "hold"


def judge(case: Case) -> Verdict:
    """Code: ``held``. A rollback is a person's and goes past holds; so does ``--override-hold`` with its reason."""
    hold = standing_hold(case.decisions.holds, case.app, case.now)
    if hold is None:
        return case.passed(GATE, f"nothing holds {case.app} in {case.target.name}")
    held = f"{case.app} is held in {case.target.name} until {instant(hold.until)} by {hold.by}: {hold.reason}"
    if case.is_rollback:
        return case.passed(GATE, f"{held}; a rollback goes past it")
    moves_config = other_config(case.move.config, case.move.current.config)
    if keeps(hold, case.move.release.digests, moves_config=moves_config):
        return case.passed(GATE, f"{held}; {case.release} is the release that it keeps")
    return case.blocked(GATE, "held", held, until=hold.until)
