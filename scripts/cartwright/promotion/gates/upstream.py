"""Upstream ran it: every upstream that the order names runs these very digests."""

from __future__ import annotations

from cartwright.history.pinned import short_digest
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import not_run, other_config
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "upstream"


def judge(case: Case) -> Verdict:
    """Codes: ``upstream-missing`` (no overlay there), ``upstream-other`` (it runs other images, or another
    configuration), ``upstream-unproven`` (what it runs was written by hand)."""
    if case.is_rollback:
        return case.not_asked(GATE, f"{case.target.name} ran {case.release} before")
    if not case.target.upstreams:
        return case.not_asked(GATE, f"{case.target.name} takes releases from their build")
    for upstream in case.target.upstreams:
        problem = _other(case, upstream) or _unproven(case, upstream)
        if problem:
            return case.blocked(GATE, *problem)
    names = " and ".join(one.name for one in case.upstreams)
    return case.passed(GATE, f"{names} {'runs' if len(case.upstreams) == 1 else 'run'} {case.release}")


def _other(case: Case, upstream: str) -> tuple[str, str] | None:
    """Why an upstream does not run the release: code and sentence."""
    if upstream not in case.context.snapshot.environments:
        leave = f"`cartwright promote approve-gates --env {case.target.name} --reason …` approves it"
        return "upstream-missing", f"{case.target.name} lost its upstream {upstream} without approval: {leave}"
    pins = case.pins(upstream)
    if pins is None:
        return "upstream-missing", f"{upstream} has no {case.app}, and must run it first"
    running = ", ".join(map(str, pins)) or "nothing"
    for pin in not_run(case.move.pins, pins):
        other = f"{running} of {case.app}, not {case.release} ({short_digest(pin)})"
        return "upstream-other", f"{upstream} runs {other}: promote it there first"
    if case.move.config is not None and other_config(case.move.config, case.config(upstream)):
        other = f"{case.release} of {case.app} on another base"
        return "upstream-other", f"{upstream} runs {other}: promote it there first"
    return None


def _unproven(case: Case, upstream: str) -> tuple[str, str] | None:
    """What is wrong with a release that was written into the upstream's ``release/`` by hand."""
    from cartwright.promotion.audit.provenance import hand_edit  # which asks these gates about what has landed

    if case.context.snapshot.release_folder(upstream, case.app) is None:
        return None
    found = hand_edit(case.context.snapshot, case.context.record, upstream, case.app)
    if found is None:
        return None
    why = "; ".join(reason.sentence for reason in found.reasons)
    what = f"a release of {case.app} that no promotion brought (commit {found.event.commit[:7]})"
    return "upstream-unproven", f"{upstream} runs {what}: {why}"
