"""A promotion as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cartwright.promotion.plan import Plan
from cartwright.promotion.preview import ObjectDiff

__all__ = ["Outcome", "as_json", "as_text"]

_VERSION = 1
"""Version of the JSON; a change that breaks a reader raises it."""
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class Outcome:
    """What came of a promotion."""

    plan: Plan
    commit: str | None
    """Id of the commit that was made."""
    objects: Sequence[ObjectDiff] | None
    """What changes in the cluster; None where nothing was rendered."""

    @property
    def status(self) -> str:
        """``promoted``, ``planned`` (a dry run) or ``unchanged`` (nothing to move)."""
        if not self.plan.changes:
            return "unchanged"
        return "promoted" if self.commit else "planned"


def as_json(outcome: Outcome) -> str:
    """The outcome as JSON, version 1."""
    plan = outcome.plan
    data: dict[str, Any] = {
        "version": _VERSION,
        "status": outcome.status,
        "app": plan.app,
        "from": plan.source,
        "to": plan.target,
        "release": [{"image": pin.image, "tag": pin.tag, "digest": pin.digest} for pin in plan.release.pins],
        "file": plan.file,
        "changes": [
            {"image": one.image, "key": one.key, "line": one.line, "old": one.old, "new": one.new}
            for one in plan.changes
        ],
        "unmatched": list(plan.unmatched),
        "base": plan.head.commit,
        "branch": plan.head.short_branch,
        "commit": outcome.commit,
        "objects": None if outcome.objects is None else [_object(one) for one in outcome.objects],
    }
    return json.dumps(data, indent=2)


def _object(one: ObjectDiff) -> dict[str, Any]:
    who = one.identity
    return {
        "group": who.group,
        "kind": who.kind,
        "namespace": who.namespace,
        "name": who.name,
        "change": one.change,
        "diff": list(one.lines),
    }


def as_text(outcome: Outcome) -> Text:
    """The outcome for people; colours show on a terminal only."""
    plan = outcome.plan
    text = Text()
    if not plan.changes:
        release = ", ".join(plan.release.tags)
        return text.append(f"{plan.app}: {plan.target} runs {release} of {plan.source} already, nothing to move")
    text.append(f"{plan.app}: {plan.source} → {plan.target}\n", style="bold")
    for change in plan.changes:
        text.append(f"  {plan.file}:{change.line}  {change.key}  {change.old} → {change.new}\n")
    for image in plan.unmatched:
        text.append(f"  {image}: only {plan.target} pins it, left as it is\n")
    for one in outcome.objects or ():
        text.append(f"\n{one.change} {one.identity}\n", style="bold")
        for line in one.lines:
            text.append(f"{line}\n", style=_STYLES.get(line[:1], ""))
    if outcome.commit:
        text.append(f"committed {outcome.commit[:7]} on {plan.head.short_branch}; push it and Argo CD applies it")
    elif not outcome.objects:
        text.append("\nno object changes: the overlay's images entry matches nothing in its base (dry run)")
    else:
        text.append(f"\n{_count(len(outcome.objects))}, nothing was written (dry run)")
    return text


def _count(objects: int) -> str:
    return "1 object changes" if objects == 1 else f"{objects} objects change"
