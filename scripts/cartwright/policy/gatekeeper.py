"""The rules as Gatekeeper takes them: one ConstraintTemplate, a constraint for each rule.

All rules share one template, and `policies/gatekeeper/main.rego` says which of them a constraint asks: a template of
its own for each would be a kind of its own for each, and every kind costs the API server memory and a fresh cluster
time.
Constraints are named after their rules, so what is refused names the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.policy.model import Kind, Rule
from cartwright.policy.schemas import CONSTRAINT_KIND

__all__ = ["CONSTRAINT", "OWN", "TEMPLATE", "Settings", "constraint", "enforcement", "rule_sources", "template"]

TEMPLATE = CONSTRAINT_KIND
"""Kind of the constraints. The template's name is the same in small letters: Gatekeeper asks for that."""
CONSTRAINT = "constraints.gatekeeper.sh/v1beta1"
"""API version of the constraints."""
OWN = "cartwright"
"""The parameter that `policies/gatekeeper/main.rego` reads; the others are the rule's own."""
_NAMESPACE = Kind("", "Namespace")
_IMPORT = re.compile(r"^import data\.lib\.(\w+)", re.MULTILINE)
_RULES = "lib.rules."
"""What the packages of rules begin with in the template."""
_DISPATCH = "dispatch"
"""The library that is generated: it knows which rules there are."""
_RULE = re.compile(rf"^package {re.escape(_RULES)}(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Settings:
    """What constraints say besides the rules' own parameters. Without any, everything is judged as `check` does."""

    cluster_wide: Mapping[str, str] | None = None
    """Labels of the cluster-wide objects that are judged; all by default."""
    owners: bool = False
    """Whether the audit leaves out what a controller made of an object that is judged."""


def template(rules: Sequence[Rule], policies: Path) -> dict[str, Any]:
    """The ConstraintTemplate: all rules, and those of the libraries that any of them needs.

    Raises:
        UserError: a rule imports a library that is not there.
    """
    entry = policies / "gatekeeper" / "main.rego"
    libs = [_plain(file.read_text(encoding="utf-8")) for file in _libraries(entry, rules)]
    libs += [_as_library(rule) for rule in rules]
    source = {"version": "v1", "rego": _plain(entry.read_text(encoding="utf-8")), "libs": [*libs, _dispatch(rules)]}
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": TEMPLATE.lower()},
        "spec": {
            "crd": {
                "spec": {
                    "names": {"kind": TEMPLATE},
                    "validation": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            },
            "targets": [
                {"target": "admission.k8s.gatekeeper.sh", "code": [{"engine": "Rego", "source": source}]},
            ],
        },
    }


def rule_sources(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The Rego of each rule by :attr:`Rule.package`, from the template among some objects: what `template` wrote there.

    Args:
        objects: those of Gatekeeper's app.
    """
    sources = (
        text
        for one in objects
        if one["kind"] == "ConstraintTemplate" and one["metadata"]["name"] == TEMPLATE.lower()
        for target in one["spec"]["targets"]
        for code in target["code"]
        for text in code["source"]["libs"]
    )
    return {found[1]: text for text in sources if (found := _RULE.search(text))}


def constraint(
    rule: Rule, parameters: Mapping[str, Any], action: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """The constraint of one rule.

    Args:
        rule: what it asks.
        parameters: values for the rule's parameters; the rest keep their defaults.
        action: what follows from a violation, as `enforcement` says.
        settings: what holds for every rule.
    """
    own: dict[str, Any] = {"rule": rule.id}
    if settings.cluster_wide:
        own["clusterWide"] = dict(settings.cluster_wide)
    if settings.owners:
        own["owners"] = True
    groups: dict[str, list[str]] = {}
    for kind in rule.kinds:
        groups.setdefault(kind.group, []).append(kind.kind)
    match = {"kinds": [{"apiGroups": [group], "kinds": kinds} for group, kinds in groups.items()]}
    return {
        "apiVersion": CONSTRAINT,
        "kind": TEMPLATE,
        "metadata": {"name": rule.id},
        "spec": {**action, "match": match, "parameters": {OWN: own, **rule.defaults, **parameters}},
    }


def enforcement(rule: Rule) -> dict[str, Any]:
    """What follows from a violation: an error is refused, a warning is reported, both count in the audit.

    A rule that looks at other objects can only be sure of them once they are there. Namespaces are: nothing is
    admitted into one that is missing. Of anything else the order in which objects come would decide, and two that need
    each other (a Deployment and its disruption budget) could never come; there admission warns and the audit counts.
    """
    if rule.severity == "warning":
        return {"enforcementAction": "warn"}
    if rule.reads <= {_NAMESPACE}:
        return {"enforcementAction": "deny"}
    return _scoped(
        {"warn": ("validation.gatekeeper.sh",), "deny": ("audit.gatekeeper.sh", "gator.gatekeeper.sh")},
    )


def _scoped(actions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "enforcementAction": "scoped",
        "scopedEnforcementActions": [
            {"action": action, "enforcementPoints": [{"name": point} for point in points]}
            for action, points in actions.items()
        ],
    }


def _libraries(entry: Path, rules: Sequence[Rule]) -> list[Path]:
    """The files under ``policies/lib`` that the rules and the entry import, directly or through others, sorted."""
    found: set[Path] = set()
    waiting = [entry, *(rule.file for rule in rules)]
    while waiting:
        importing = waiting.pop()
        for name in _IMPORT.findall(importing.read_text(encoding="utf-8")):
            file = entry.parents[1] / "lib" / f"{name}.rego"
            if name == _DISPATCH or file in found:
                continue
            if not file.is_file():
                raise UserError(f"imports data.lib.{name}, but policies/lib/{name}.rego does not exist", file=importing)
            found.add(file)
            waiting.append(file)
    return sorted(found)


def _as_library(rule: Rule) -> str:
    """A rule's module under the name that `lib.dispatch` knows it by: Gatekeeper takes libraries below `lib` alone."""
    text = _plain(rule.file.read_text(encoding="utf-8"))
    return text.replace(f"package cartwright.rules.{rule.package}", f"package {_RULES}{rule.package}", 1)


def _dispatch(rules: Sequence[Rule]) -> str:
    """Asks the rule that the constraint names; OPA's index finds its line without trying the others.

    Gatekeeper moves libraries to a place of its own, and references follow only where they go through an import.
    """
    lines = ["package lib.dispatch", "", *(f"import data.{_RULES}{rule.package}" for rule in rules), ""]
    for rule in rules:
        lines += [
            "violation contains result if {",
            f'\tinput.parameters.{OWN}.rule == "{rule.id}"',
            f"  some result in {rule.package}.violation",
            "}",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _plain(text: str) -> str:
    """Rego without its comments: what a rule is about stands in `policies`, a cluster only runs it."""
    kept: list[str] = []
    in_raw_string = False
    for line in text.splitlines():
        if not in_raw_string and line.lstrip().startswith("#"):
            continue
        if line.count("`") % 2:
            in_raw_string = not in_raw_string
        if in_raw_string or line or (kept and kept[-1]):
            # Spaces, so that the text can stand in YAML as it is.
            kept.append(line if in_raw_string else re.sub(r"^\t+", lambda tabs: "  " * len(tabs[0]), line))
    return re.sub(r"\n+\Z", "\n", "\n".join(kept) + "\n")
