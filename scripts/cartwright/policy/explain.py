"""What a rule says of itself, with an example of each verdict from its own cases."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cartwright.kernel.errors import UserError, nearest
from cartwright.policy.cases import Case, load_cases
from cartwright.policy.model import Rule

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Examples", "as_data", "as_text", "examples", "pick_rule", "summary"]


@dataclass(frozen=True)
class Examples:
    """A bad and a good example that differ in one edit."""

    bad: Case
    good: Case
    edit: tuple[str, ...]
    """The lines that differ, as a unified diff from bad to good without headers."""


def pick_rule(rules: Sequence[Rule], rule_id: str) -> Rule:
    """The rule of that id.

    Raises:
        UserError: there is none; names the nearest.
    """
    known = {rule.id: rule for rule in rules}
    if rule_id not in known:
        raise UserError(f"no rule '{rule_id}'", hint=nearest(rule_id, known))
    return known[rule_id]


def examples(rule: Rule) -> Examples:
    """The fail and the pass case that the rule names, else those that differ least.

    Raises:
        UserError: the rule names one that is not there, or its cases are malformed.
    """
    cases = load_cases([rule])
    bad, good = ([case for case in cases if case.verdict == verdict] for verdict in ("fail", "pass"))
    if rule.example is not None:
        bad, good = _named(rule, bad, rule.example[0]), _named(rule, good, rule.example[1])
    pairs = [(len(_edit(one, other)), len(one.text), one, other) for one in bad for other in good]
    _, _, one, other = min(pairs, key=lambda pair: (pair[0], pair[1], pair[2].name, pair[3].name))
    return Examples(bad=one, good=other, edit=_edit(one, other))


def summary(rule: Rule) -> dict[str, Any]:
    """The line of ``policy list`` for a rule."""
    return {
        "id": rule.id,
        "severity": rule.severity,
        "scope": rule.scope,
        "runs_in": list(rule.runs_in),
        "title": rule.title,
    }


def as_data(rule: Rule) -> dict[str, Any]:
    """All that is known of a rule, as plain data."""
    shown = examples(rule)
    return {
        **summary(rule),
        "why": rule.why,
        "remedy": rule.remedy,
        "kinds": [{"group": kind.group, "kind": kind.kind} for kind in rule.kinds],
        "parameters": [{"name": one.name, **one.schema} for one in rule.parameters],
        "bad": {"claim": shown.bad.why, "manifest": shown.bad.text},
        "good": {"claim": shown.good.why, "manifest": shown.good.text},
        "edit": list(shown.edit),
        "links": [{"ref": link.ref, "description": link.description} for link in rule.links],
    }


def as_text(data: Mapping[str, Any]) -> Text:
    """The same for people; colours show on a terminal only."""
    from rich.text import Text

    text = Text()
    text.append(f"{data['id']}", style="bold").append(f"  {data['severity']}, runs in {', '.join(data['runs_in'])}\n")
    text.append(f"{data['title']}\n\n").append(f"{data['why']}\n\n")
    text.append("What to do: ", style="bold").append(f"{data['remedy']}\n")
    for one in data["parameters"]:
        meaning = " ".join(str(one["description"]).split())
        text.append(f"Parameter {one['name']}: ", style="bold").append(f"{meaning} Default: {one['default']!r}\n")
    for name, style in (("bad", "red"), ("good", "green")):
        text.append(f"\n{name.capitalize()}: ", style=style).append(f"{data[name]['claim']}\n")
        text.append(textwrap.indent(data[name]["manifest"].strip("\n"), "  ") + "\n")
    text.append("\nFrom bad to good:\n", style="bold")
    for line in data["edit"]:
        text.append(f"  {line}\n", style="green" if line.startswith("+") else "red")
    for link in data["links"]:
        text.append(f"\n{link['description']}: {link['ref']}")
    return text


def _named(rule: Rule, cases: Sequence[Case], name: str) -> list[Case]:
    found = [case for case in cases if case.name == name]
    if not found:
        file = cases[0].file
        raise UserError(
            f"example of rule {rule.id}: no such case '{name}'",
            file=file,
            hint=nearest(name, [case.name for case in cases]),
        )
    return found


def _edit(one: Case, other: Case) -> tuple[str, ...]:
    lines = difflib.unified_diff(one.text.splitlines(), other.text.splitlines(), lineterm="", n=0)
    return tuple(line for line in list(lines)[2:] if not line.startswith("@@"))
