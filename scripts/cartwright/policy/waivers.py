"""Waivers: findings that somebody decided to live with, for a while (``policies/waivers.yaml``)."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.findings import Finding
from cartwright.kernel.identity import Identity
from cartwright.yaml.read import line_of, nodes
from cartwright.yaml.validate import load_valid

__all__ = ["LONGEST", "Waiver", "apply_waivers", "load_waivers"]

LONGEST = datetime.timedelta(days=90)
"""How far off a waiver's end may be."""

_FILE = "policies/waivers.yaml"
_SCHEMA = "policies/waivers.schema.json"


@dataclass(frozen=True)
class Waiver:
    """One entry: hides one finding in each of its environments."""

    rule: str
    resource: Identity
    environments: tuple[str, ...]
    message: str
    """Text that the finding's message holds; empty if the rule has one finding for the object."""
    owner: str
    reason: str
    expires: datetime.date
    """The last day on which it holds."""
    line: int
    """One-based line of the entry in ``policies/waivers.yaml``."""

    def fits(self, finding: Finding) -> bool:
        """Whether it speaks of this finding, environments aside."""
        same = (finding.rule, finding.resource) == (self.rule, self.resource)
        return same and finding.resource.version == self.resource.version and self.message in finding.message


def load_waivers(root: Path) -> tuple[Waiver, ...]:
    """The waivers of the repository at ``root``, in order; none where the file is not there.

    Raises:
        UserError: the file does not fit its schema; names the line, and the nearest key for a typo.
    """
    file = root / _FILE
    if not file.exists():
        return ()
    text = file.read_text(encoding="utf-8")
    schema = json.loads((root / _SCHEMA).read_text(encoding="utf-8"))
    data = load_valid(text, _FILE, schema)
    tree = next(nodes(text, _FILE))
    return tuple(
        _waiver(entry, line=line_of(tree, ["waivers", number])[0]) for number, entry in enumerate(data["waivers"])
    )


def _waiver(entry: Mapping[str, Any], *, line: int) -> Waiver:
    try:
        expires = datetime.date.fromisoformat(entry["expires"])
    except ValueError as error:
        raise UserError(f"expires: {entry['expires']} is not a date", file=_FILE, line=line) from error
    wanted = entry["object"]
    return Waiver(
        rule=entry["rule"],
        resource=Identity.of(wanted["apiVersion"], wanted["kind"], wanted.get("namespace", ""), wanted["name"]),
        environments=tuple(entry["environments"]),
        message=entry.get("message", ""),
        owner=entry["owner"],
        reason=entry["reason"],
        expires=expires,
        line=line,
    )


def apply_waivers(
    findings: Sequence[tuple[str, Finding]],
    root: Path,
    *,
    known_rules: Collection[str],
    known_environments: Collection[str],
    judged: Collection[str],
    today: datetime.date,
) -> list[Finding]:
    """The findings that no waiver hides, and one for each thing that is wrong with a waiver.

    Args:
        findings: each with its environment; empty for one that belongs to none.
        root: the repository.
        known_rules: ids that a waiver may name.
        known_environments: environments that a waiver may name.
        judged: environments that were judged whole: only there can a waiver be said to hide nothing.
        today: the day on which waivers are read.

    Raises:
        UserError: as `load_waivers`.
    """
    hidden: set[int] = set()
    problems: list[Finding] = []
    for waiver in load_waivers(root):
        fault = _fault(waiver, known_rules=known_rules, known_environments=known_environments, today=today)
        if fault:
            problems.append(_problem(waiver, fault))
            continue
        for environment in waiver.environments:
            here = [number for number, (where, one) in enumerate(findings) if where == environment and waiver.fits(one)]
            messages = {findings[number][1].message for number in here}
            if len(messages) > 1:
                listed = "; ".join(sorted(messages))
                text = (
                    f"fits several findings in {environment}; add the `message` of one, and a waiver for each: {listed}"
                )
                problems.append(_problem(waiver, text))
            elif here:
                hidden.update(here)
            elif environment in judged:
                problems.append(_problem(waiver, f"hides nothing in {environment}; remove it there"))
    kept = [finding for number, (_, finding) in enumerate(findings) if number not in hidden]
    return kept + problems


def _fault(
    waiver: Waiver, *, known_rules: Collection[str], known_environments: Collection[str], today: datetime.date
) -> str | None:
    """What is wrong with the waiver itself, whatever was found."""
    if waiver.rule not in known_rules:
        return f"'{waiver.rule}' is not a rule; {nearest(waiver.rule, known_rules)}"
    for environment in waiver.environments:
        if environment not in known_environments:
            return f"'{environment}' is not an environment; {nearest(environment, known_environments)}"
    if waiver.expires < today:
        return f"expired on {waiver.expires}; remove the cause of the finding, then the waiver"
    if waiver.expires > today + LONGEST:
        return f"holds until {waiver.expires}; at most {LONGEST.days} days are allowed, until {today + LONGEST}"
    return None


def _problem(waiver: Waiver, text: str) -> Finding:
    return Finding(
        file=_FILE,
        line=waiver.line,
        rule="waiver",
        severity="error",
        message=f"waiver of {waiver.rule} for {waiver.resource.short}: {text}",
        resource=waiver.resource,
    )
