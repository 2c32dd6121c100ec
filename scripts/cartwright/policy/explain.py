"""What a rule says of itself, with an example of each verdict from its own fixtures."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartwright.kernel.errors import UserError, nearest
from cartwright.policy.model import Rule

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Example", "Examples", "as_data", "as_text", "examples", "pick_rule", "summary"]


@dataclass(frozen=True)
class Example:
    """One fixture."""

    file: Path
    claim: str
    """What it shows, from its first line."""
    body: str
    """The manifests, without the first line."""


@dataclass(frozen=True)
class Examples:
    """A bad and a good example that differ in one edit."""

    bad: Example
    good: Example
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
    """The fail and the pass fixture that the rule names, else those that differ least.

    Raises:
        UserError: the rule lacks one of the two.
    """
    if rule.example is not None:
        folders = zip(("fail", "pass"), rule.example, strict=True)
        files = [rule.file.parent / side / f"{name}.yaml" for side, name in folders]
        for file in files:
            if not file.is_file():
                raise UserError(
                    f"example of rule {rule.id}: no such fixture", file=file.relative_to(rule.file.parents[3])
                )
        one, other = (_read(file) for file in files)
        return Examples(bad=one, good=other, edit=_edit(one, other))
    bad, good = ([_read(file) for file in _fixtures(rule, folder)] for folder in ("fail", "pass"))
    pairs = [(len(_edit(one, other)), len(one.body), one, other) for one in bad for other in good]
    _, _, one, other = min(pairs, key=lambda pair: (pair[0], pair[1], pair[2].file.name, pair[3].file.name))
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
        "bad": {"claim": shown.bad.claim, "manifest": shown.bad.body},
        "good": {"claim": shown.good.claim, "manifest": shown.good.body},
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


def _fixtures(rule: Rule, folder: str) -> list[Path]:
    files = sorted(rule.file.parent.glob(f"{folder}/*.yaml"))
    if not files:
        raise UserError(f"rule {rule.id} has no {folder} fixture", file=rule.file.parent.name)
    return files


def _read(file: Path) -> Example:
    first, _, body = file.read_text(encoding="utf-8").partition("\n")
    return Example(file=file, claim=first.removeprefix("#").strip(), body=body)


def _edit(one: Example, other: Example) -> tuple[str, ...]:
    lines = difflib.unified_diff(one.body.splitlines(), other.body.splitlines(), lineterm="", n=0)
    return tuple(line for line in list(lines)[2:] if not line.startswith("@@"))
