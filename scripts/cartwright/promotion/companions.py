"""The apps that must come along: half of a network edge fails `check`, and both halves pass it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import Finding
from cartwright.promotion.gates import outlook
from cartwright.promotion.intents import Promote
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.planning import make_plan
from cartwright.promotion.verdict import Verdict

__all__ = ["name_companions"]


def name_companions(plan: Plan, context: Context, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts; those of the gate ``check`` say which apps to add, if the environment passes with them.

    Raises:
        UserError: the environment can't be judged: file and line.
    """
    intent = plan.intent
    if not isinstance(intent, Promote) or intent.everything or all(one.code != outlook.ERRORS for one in verdicts):
        return tuple(verdicts)
    apps = _companions(plan, intent, context)
    if not apps:
        return tuple(verdicts)
    options = " ".join(f"--with {app}" for app in apps)
    return tuple(
        replace(one, sentence=f"{one.sentence}; with {', '.join(apps)} it would pass: add {options}")
        if one.code == outlook.ERRORS
        else one
        for one in verdicts
    )


def _companions(plan: Plan, intent: Promote, context: Context) -> tuple[str, ...]:
    """The fewest apps that make the promotion whole, found by asking `check`; none where no app does."""
    asked = tuple(move.app for move in plan.moves)
    waiting = _waiting(intent, context, without=asked)
    widest = make_plan(replace(intent, apps=asked + waiting, set_name=None, along=()), context)

    def errors_with(apps: Iterable[str]) -> Mapping[str, Sequence[Finding]]:
        tried = widest.only((*asked, *apps))
        errors = outlook.new_errors(tried)
        return outlook.by_app(errors, tried) if errors else {}

    # An app that brings errors of its own makes nothing whole.
    while errors := errors_with(waiting):
        sound = tuple(app for app in waiting if not errors[app])
        if sound == waiting:
            return ()
        waiting = sound
    needed: list[str] = []
    while errors_with(needed):
        # The last app of the shortest list that is enough is needed in any case.
        count = bisect_left(range(len(waiting)), True, key=lambda number: not errors_with((*needed, *waiting[:number])))
        needed.append(waiting[count - 1])
        waiting = waiting[: count - 1]
    return tuple(sorted(needed))


def _waiting(intent: Promote, context: Context, *, without: Sequence[str]) -> tuple[str, ...]:
    """Other apps that the source could give to the target now."""
    found = []
    for app in context.snapshot.applications[intent.source]:
        if app in without:
            continue
        try:
            plan = make_plan(replace(intent, apps=(app,), set_name=None, along=()), context)
        except UserError:
            continue  # what can't be promoted can't come along
        found += [move.app for move in plan.changed]
    return tuple(found)
