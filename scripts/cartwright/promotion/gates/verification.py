"""Verification: the Jobs and hooks that environment.yaml names have succeeded in every upstream at this release."""

from __future__ import annotations

from cartwright.promotion.argo import AppState, UnknownHealthError
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import jobs_asked
from cartwright.promotion.gates.health import has_release
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "verification"


def judge(case: Case) -> Verdict:
    """Codes: ``verification-unknown`` (Argo CD can't be asked), ``verification-early`` (its last sync was of another
    release), ``verification-missing`` (that sync ran no such Job), ``verification-running``, ``verification-failed``.
    """
    names = jobs_asked(case.gates, case.app)
    if case.is_rollback or not names or not case.upstreams:
        nothing = f"{case.target.name} names no Job of {case.app}"
        why = f"{case.release} was verified before" if case.is_rollback else nothing
        return case.not_asked(GATE, why)
    for upstream in case.upstreams:
        problem = _verified(case, upstream.name, names)
        if problem:
            return problem
    return case.passed(GATE, f"{', '.join(names)} succeeded at {case.release}")


def _verified(case: Case, upstream: str, names: tuple[str, ...]) -> Verdict | None:
    application = case.context.snapshot.find(upstream, case.app)
    if application is None:
        return case.blocked(GATE, "verification-missing", f"{upstream} has no {case.app} that could be verified")
    try:
        state = case.evidence.state(application.name)
    except UnknownHealthError as error:
        return case.blocked(GATE, "verification-unknown", f"what {', '.join(names)} found is not known: {error}")
    if state is None or _is_other(case, upstream, state):
        return case.blocked(
            GATE, "verification-early", f"{application.name}: the last sync that ended was not of {case.release}"
        )
    for name in names:
        outcome = _outcome(state, name)
        if outcome is None:
            return case.blocked(
                GATE, "verification-missing", f"{state.name}: the sync of {case.release} ran no Job or hook '{name}'"
            )
        if outcome != "Succeeded":
            code = "verification-running" if outcome == "Running" else "verification-failed"
            return case.blocked(GATE, code, f"{state.name}: {name} is {outcome} at {case.release}")
    return None


def _is_other(case: Case, upstream: str, state: AppState) -> bool:
    """Whether the last sync was of something else than the release."""
    running = case.since(upstream)
    if running is None or state.finished_at is None or state.finished_at < running.since:
        return True
    return has_release(case, upstream, state.synced_revision) is False


def _outcome(state: AppState, name: str) -> str | None:
    """The outcome of a Job, or of a hook that its generateName named."""
    found = [outcome for job, outcome in state.jobs.items() if job == name or job.startswith(f"{name}-")]
    return next((outcome for outcome in found if outcome != "Succeeded"), found[0] if found else None)
