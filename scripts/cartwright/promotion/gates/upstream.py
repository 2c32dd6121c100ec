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
        return case.passed(GATE, f"{case.target.name} ran {case.release} before")
    if not case.upstreams:
        return case.passed(GATE, f"{case.target.name} takes releases from their build")
    for upstream in case.upstreams:
        pins = case.pins(upstream.name)
        if pins is None:
            return case.blocked(GATE, "upstream-missing", f"{upstream.name} has no {case.app}, and must run it first")
        for pin in not_run(case.move.release.pins, pins):
            running = ", ".join(map(str, pins)) or "nothing"
            return case.blocked(
                GATE,
                "upstream-other",
                f"{upstream.name} runs {running} of {case.app}, not {case.release} ({short_digest(pin)}): "
                f"promote it there first",
            )
        settings = case.settings(upstream.name)
        for key, value in case.move.config:
            if settings.get(key) != value:
                return case.blocked(
                    GATE,
                    "upstream-other",
                    f"{upstream.name} sets {key} of {case.app} to '{settings.get(key, '')}', not to '{value}': "
                    f"promote it there first",
                )
    names = " and ".join(one.name for one in case.upstreams)
    return case.passed(GATE, f"{names} {'runs' if len(case.upstreams) == 1 else 'run'} {case.release}")
