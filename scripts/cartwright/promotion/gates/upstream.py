"""Upstream ran it: every upstream that the order names runs these very digests."""

from __future__ import annotations

from cartwright.history.release import short_digest
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import not_run
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "upstream"


def judge(case: Case) -> Verdict:
    """Codes: ``upstream-missing`` (no overlay there), ``upstream-other`` (it runs something else, or with other
    promotable keys)."""
    if case.is_rollback:
        return case.not_asked(GATE, f"{case.target.name} ran {case.release} before")
    if not case.target.upstreams:
        return case.not_asked(GATE, f"{case.target.name} takes releases from their build")
    for upstream in case.target.upstreams:
        problem = _problem(case, upstream)
        if problem:
            return case.blocked(GATE, *problem)
    names = " and ".join(one.name for one in case.upstreams)
    return case.passed(GATE, f"{names} {'runs' if len(case.upstreams) == 1 else 'run'} {case.release}")


def _problem(case: Case, upstream: str) -> tuple[str, str] | None:
    """Why the release can't come from an upstream as it runs there: code and sentence."""
    if upstream not in case.context.snapshot.environments:
        leave = f"`cartwright promote approve-gates --env {case.target.name} --reason …` approves it"
        return "upstream-missing", f"{case.target.name} lost its upstream {upstream} without approval: {leave}"
    pins = case.pins(upstream)
    if pins is None:
        return "upstream-missing", f"{upstream} has no {case.app}, and must run it first"
    for pin in not_run(case.move.release.pins, pins):
        running = ", ".join(map(str, pins)) or "nothing"
        what = f"{upstream} runs {running} of {case.app}, not {case.release} ({short_digest(pin)})"
        return "upstream-other", f"{what}: promote it there first"
    settings = case.settings(upstream)
    for key, value in case.move.config:
        if settings.get(key) != value:
            what = f"{upstream} sets {key} of {case.app} to '{settings.get(key, '')}', not to '{value}'"
            return "upstream-other", f"{what}: promote it there first"
    return None
