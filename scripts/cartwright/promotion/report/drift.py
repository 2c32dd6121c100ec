"""Drift as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rich.text import Text

from cartwright.promotion.audit.drift import ABSENT, Difference, Drift

__all__ = ["VERSION", "drift_json", "drift_text"]

VERSION = 2
"""Version of the JSON; a change that breaks a reader raises it."""
_STYLES = {"drift": "red", "release": "cyan", "owned": "dim"}
_NAMES = {
    "release": "of another release",
    "owned": "declared to belong to the environment",
}
_LONGEST = 60


def drift_json(found: Drift) -> str:
    """Version 2: every difference with its kind; a side that lacks a value has null and is named in ``absentIn``."""
    data = {
        "version": VERSION,
        "from": found.source,
        "to": found.target,
        "drift": sum(len(one.drift) for one in found.apps),
        "apps": [
            {"app": one.app, "differences": [_difference(found, each) for each in one.differences]}
            for one in found.apps
        ],
        "onlyIn": [{"app": app, "environment": environment} for app, environment in found.only],
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


def _difference(found: Drift, one: Difference) -> dict[str, Any]:
    absent = found.source if one.source is ABSENT else found.target if one.target is ABSENT else None
    return {
        "kind": one.kind,
        "object": {
            "group": one.identity.group,
            "kind": one.identity.kind,
            "namespace": one.identity.namespace,
            "name": one.identity.name,
        },
        "path": one.path,
        "from": None if one.source is ABSENT else one.source,
        "to": None if one.target is ABSENT else one.target,
        "absentIn": absent,
        "reason": one.reason,
        "file": one.file,
        "line": one.line,
    }


def drift_text(found: Drift, *, everything: bool = False) -> Text:
    """Each undeclared difference in a line; the declared ones, too, if ``everything``, else their counts."""
    text = Text()
    total = 0
    for one in found.apps:
        total += len(one.drift)
        counts = Counter(each.kind for each in one.differences)
        said = [f"{counts[kind]} {name}" for kind, name in _NAMES.items() if counts[kind]]
        head = f"{len(one.drift)} undeclared" if one.drift else "no drift"
        text.append(f"{one.app}: ", style="bold")
        text.append(head, style="red" if one.drift else "green")
        text.append(f"{'; ' + ', '.join(said) if said else ''}\n")
        for each in one.differences:
            if everything or each.kind == "drift":
                field = f" {each.path}" if each.path else ""
                text.append(f"  {each.identity.kind} {each.identity.name}{field}: ", style=_STYLES[each.kind])
                text.append(f"{_short(each.source)} → {_short(each.target)}")
                why = "" if each.kind == "drift" else f" ({each.reason or _NAMES[each.kind]})"
                text.append(f"{why}  {each.file}:{each.line}\n")
    for app, environment in found.only:
        text.append(f"{app}: only in {environment}\n", style="dim")
    text.append(
        f"{total} undeclared {'difference' if total == 1 else 'differences'} from {found.source} to {found.target}"
        + ("" if not total else ": make them the same, or declare them (environments/owned.yaml)")
    )
    return text


def _short(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    written = " ".join(written.split()) or "''"
    return written if len(written) <= _LONGEST else written[: _LONGEST - 1] + "…"
