"""The gates, one module each. All of them judge every app, so that a person sees at once what there is to wait for."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType

from cartwright.promotion.evidence import Evidence, Sources
from cartwright.promotion.gates import (
    approvals,
    freeze,
    health,
    hold,
    outlook,
    registry,
    signatures,
    soak,
    upstream,
    verification,
)
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.freeze import freezes_of
from cartwright.promotion.intents import Promote
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.verdict import Verdict

__all__ = ["GATES", "in_force", "judge", "next_time"]

GATES: Mapping[str, Callable[[Case], Verdict]] = MappingProxyType(
    {
        upstream.GATE: upstream.judge,
        soak.GATE: soak.judge,
        health.GATE: health.judge,
        verification.GATE: verification.judge,
        approvals.GATE: approvals.judge,
        registry.GATE: registry.judge,
        signatures.GATE: signatures.judge,
        hold.GATE: hold.judge,
        freeze.GATE: freeze.judge,
    }
)
"""What each gate asks, in the order in which a release meets them."""
_GATED = ("promote", "set", "rollback")


def judge(
    plan: Plan,
    context: Context,
    sources: Sources,
    *,
    without: Collection[str] = (),
    passes: Callable[[Verdict], bool] = attrgetter("passed"),
) -> tuple[Verdict, ...]:
    """Every gate's verdict on every app that gets another release. Decisions and approvals pass no gate.

    Args:
        without: gates that are not asked; for a look at many apps, where asking would take long.
        passes: whether an app may go on in spite of a verdict, as a hold that a person overrides lets it.

    Raises:
        UserError: environment.yaml asks for what can't be: file and line.
    """
    if plan.operation not in _GATED:
        return ()
    plan = in_force(plan, context)
    evidence = Evidence(sources=sources)
    cases = [Case(plan=plan, move=move, context=context, evidence=evidence) for move in plan.changed]
    gates = plan.target.content["gates"]
    if (gates["health"] or gates.get("verification")) and plan.operation != "rollback":
        evidence.preload(
            [
                application.name
                for case in cases
                for one in case.upstreams
                if (application := context.snapshot.find(one.name, case.app)) is not None
            ]
        )
    verdicts = tuple(gate(case) for case in cases for name, gate in GATES.items() if name not in without)
    if outlook.GATE in without or plan.operation != "promote" or not gates.get(outlook.GATE):
        return verdicts
    stopped = {one.app for one in verdicts if not one.passed and not (one.gate == hold.GATE and passes(one))}
    return (*verdicts, *_outlook(plan, [case for case in cases if case.app not in stopped], stopped))


def _outlook(plan: Plan, cases: list[Case], stopped: Collection[str | None]) -> tuple[Verdict, ...]:
    """What `check` says of the environment with those apps in it that will go there, and no others."""
    picks = isinstance(plan.intent, Promote) and plan.intent.everything
    if stopped and not picks:
        return ()
    found: list[Verdict] = []
    while cases:
        verdicts = outlook.judge(plan.only(case.app for case in cases), cases)
        kept = {one.app for one in verdicts if one.passed}
        if len(kept) == len(cases) or not picks:
            return (*found, *verdicts)
        # Without those that stay back the others are another environment.
        found += [one for one in verdicts if not one.passed]
        cases = [case for case in cases if case.app in kept]
    return tuple(found)


def in_force(plan: Plan, context: Context) -> Plan:
    """The plan with all that its target asks for: gates that were taken out without approval stay."""
    asked = context.in_force.asked(plan.target.name)
    if asked is None or not asked.undone:
        return plan
    content = {**plan.target.content, "gates": {**plan.target.content["gates"], **asked.gates.gates}}
    return replace(plan, target=replace(plan.target, upstreams=asked.gates.upstreams, content=content))


def next_time(plan: Plan, context: Context, verdicts: Iterable[Verdict]) -> datetime.datetime | None:
    """The next time that the promotion could go by itself: when its last gate opens, outside of any freeze.

    None where it may go now, or where no time opens one of its gates: an approval is missing, an app is not healthy.
    """
    blocked = [one for one in verdicts if not one.passed]
    if not blocked or any(one.until is None for one in blocked):
        return None
    last = max(one.until for one in blocked if one.until is not None)
    return freezes_of(context, in_force(plan, context).target).until(last) or last
