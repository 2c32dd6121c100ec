"""Health: Argo CD says that the app is Synced and Healthy in every upstream, at the digest that is promoted.

It is judged by the app's own folder: a commit of another app moves HEAD, not this verdict. A state that Argo CD wrote
down before it had seen the release says nothing about the release, and no word from Argo CD is no good word.
"""

from __future__ import annotations

from cartwright.history.git import Head, has_commit
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel.errors import UserError
from cartwright.promotion.argo import AppState, UnknownHealthError
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import not_run, other_config
from cartwright.promotion.verdict import Verdict

__all__ = ["has_release", "judge"]

GATE = "health"


def judge(case: Case) -> Verdict:
    """Codes: ``health-unknown`` (Argo CD can't be asked), ``health-missing`` (it has no such Application),
    ``health-other-path``, ``health-early`` (it has not seen the release yet), ``health-syncing``,
    ``health-sync-failed``, ``health-out-of-sync``, ``health-not-healthy``, ``health-other-digest``.
    """
    if case.is_rollback:
        return case.not_asked(GATE, f"{case.release} was healthy before it came to {case.target.name} the first time")
    if not case.gates["health"] or not case.upstreams:
        return case.not_asked(GATE, f"{case.target.name} asks for no word from Argo CD")
    verdicts = [_healthy(case, upstream.name) for upstream in case.upstreams]
    return next((one for one in verdicts if not one.passed), None) or case.passed(
        GATE, "; ".join(one.sentence for one in verdicts)
    )


def _healthy(case: Case, upstream: str) -> Verdict:
    application = case.context.snapshot.find(upstream, case.app)
    if application is None:
        return case.blocked(GATE, "health-missing", f"{upstream} has no {case.app}, so it is not healthy there")
    try:
        state = case.evidence.state(application.name)
    except UnknownHealthError as error:
        return case.blocked(GATE, "health-unknown", f"whether {application.name} is healthy is not known: {error}")
    if state is None:
        return case.blocked(GATE, "health-missing", f"Argo CD has no Application {application.name}")
    if state.path != application.path:
        return case.blocked(
            GATE, "health-other-path", f"{state.name} syncs {state.path or 'another source'}, not {application.path}"
        )
    problem = _early(case, upstream, state) or _unsettled(state) or _other_digest(case, state)
    if problem:
        return case.blocked(GATE, *problem)
    return case.passed(GATE, f"{state.name} is Synced and Healthy at {case.release}")


def _early(case: Case, upstream: str, state: AppState) -> tuple[str, str] | None:
    """Whether Argo CD wrote its state down before it saw the release."""
    running = case.since(upstream)
    if running is None or state.reconciled_at is None or state.reconciled_at < running.since:
        seen = "has not compared it yet" if state.reconciled_at is None else "compared it last before that"
        where = f"commit {running.commit[:7]} brought {case.release}, and Argo CD {seen}" if running else "it is new"
        return "health-early", f"{state.name}: {where}"
    if has_release(case, upstream, state.revision) is False:
        return (
            "health-early",
            f"{state.name}: Argo CD last saw commit {state.revision[:7]}, which does not have {case.release} yet",
        )
    return None


def _unsettled(state: AppState) -> tuple[str, str] | None:
    if state.phase in {"Running", "Terminating"}:
        return "health-syncing", f"{state.name}: a sync is under way{_words(state)}"
    if state.phase in {"Failed", "Error"}:
        return "health-sync-failed", f"{state.name}: the last sync ended with {state.phase}{_words(state)}"
    if state.sync != "Synced":
        return "health-out-of-sync", f"{state.name} is {state.sync}"
    if state.health != "Healthy":
        return "health-not-healthy", f"{state.name} is {state.health}"
    return None


def _other_digest(case: Case, state: AppState) -> tuple[str, str] | None:
    for image, digest in case.digests.items():
        if not any(live.endswith(f"@{digest}") for live in state.images):
            return (
                "health-other-digest",
                f"{state.name}: no live object runs {image}@{digest[:19]}, though Argo CD calls it Synced and Healthy",
            )
    return None


def has_release(case: Case, environment: str, revision: str) -> bool | None:
    """Whether a commit gives an environment the release; None where this clone does not have the commit."""
    today = case.context.snapshot
    if not revision or not has_commit(today.root, revision):
        return None
    then = today if revision == today.head.commit else open_snapshot(today.root, Head(branch=None, commit=revision))
    try:
        pins = then.release(environment, case.app).pins
        if not_run(case.move.pins, pins):
            return False
        return not other_config(case.move.config, case.config(environment, then) if case.move.config else None)
    except UserError:
        return False  # it had no overlay then, or none that can be read


def _words(state: AppState) -> str:
    return f": {state.message}" if state.message else ""
