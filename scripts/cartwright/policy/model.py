"""What a policy rule is, read from the METADATA block on top of its Rego."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from cartwright.kernel.errors import UserError

__all__ = ["POD_CARRYING", "SCOPES", "SEVERITIES", "Kind", "Link", "Parameter", "Rule", "load_rules"]

SEVERITIES = ("error", "warning")
"""An error blocks, a warning is reported."""

_EVERYWHERE = ("check", "gatekeeper", "admission")

SCOPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"object": _EVERYWHERE, "environment": _EVERYWHERE, "hub": ("check",), "fleet": ("check",)}
)
"""What a rule's verdict depends on, and where a rule of that scope can run.

``object``: the object alone, so that the verdict can be kept until the object changes.
``environment``: other objects of its environment as well.
``hub``: a rule about what the cluster of Argo CD holds: Argo CD's own objects, and the Applications that its
ApplicationSets generate.
``fleet``: the objects of all environments, their order, and facts from Git.

A cluster sees only its own objects, and an Application only once it is there: so the last two run in ``check`` alone.
"""


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of object, whatever its version."""

    group: str
    """API group; empty for the core group."""
    kind: str

    @property
    def key(self) -> str:
        """The form in which the conftest adapter looks kinds up, for example ``apps/Deployment``."""
        return f"{self.group}/{self.kind}"


POD_CARRYING = tuple(
    Kind(group, kind)
    for group, kind in (
        ("", "Pod"),
        ("", "ReplicationController"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "CronJob"),
        ("batch", "Job"),
    )
)
"""What ``kinds: pod-carrying`` stands for. Where the pod stands in each, ``policies/lib/workload.rego`` knows."""


@dataclass(frozen=True)
class Parameter:
    """A setting of a rule that an environment may change."""

    name: str
    schema: Mapping[str, Any]
    """JSON Schema of the value, as a Gatekeeper template takes it, with ``description`` and ``default``."""

    @property
    def default(self) -> Any:
        """The value where an environment sets none."""
        return self.schema["default"]


@dataclass(frozen=True)
class Link:
    """Where to read more."""

    ref: str
    description: str


@dataclass(frozen=True)
class Rule:
    """One rule, as its METADATA describes it."""

    id: str
    """The name of its folder, for example ``pinned-image``."""
    title: str
    """What holds where the rule is kept, in one line."""
    why: str
    severity: str
    """One of `SEVERITIES`."""
    scope: str
    """A key of `SCOPES`."""
    kinds: tuple[Kind, ...]
    reads: frozenset[Kind]
    """The kinds that it looks up among an environment's other objects; empty unless its scope is ``environment``."""
    parameters: tuple[Parameter, ...]
    remedy: str
    links: tuple[Link, ...]
    example: tuple[str, str] | None
    """The fail and the pass case that explain it best; None where the two that differ least do."""
    git_only: str
    """Why no cluster can judge this although an environment's objects suffice; empty for most rules."""
    file: Path

    @property
    def package(self) -> str:
        """The last part of its Rego package: the id with underscores, so that it is a plain name."""
        return self.id.replace("-", "_")

    @property
    def runs_in(self) -> tuple[str, ...]:
        """Where it runs: ``check``, ``gatekeeper`` (its templates under gator), ``admission`` (in the cluster)."""
        return tuple(place for place in SCOPES[self.scope] if not (self.git_only and place == "admission"))

    @property
    def defaults(self) -> dict[str, Any]:
        """The parameters' values where an environment sets none."""
        return {parameter.name: parameter.default for parameter in self.parameters}


def load_rules(policies: Path) -> tuple[Rule, ...]:
    """Every rule under ``policies/rules``, sorted by id.

    Raises:
        UserError: a rule's METADATA is missing or wrong (with file and line), or there is not a rule at all.
    """
    folder, root = policies / "rules", policies.parent
    files = sorted(folder.glob("*/rule.rego"))
    if not files:
        raise UserError(
            "no rule found: nothing would be judged", file=folder.relative_to(root), hint="expected <rule-id>/rule.rego"
        )
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not (entry / "rule.rego").is_file():
            raise UserError("a rule's folder has no rule.rego", file=entry.relative_to(root))
    return tuple(_load_rule(file, shown=file.relative_to(root)) for file in files)


def _load_rule(file: Path, *, shown: Path) -> Rule:
    metadata, start, package = _metadata(file, shown=shown)
    reader = _Reader(file=shown, line=start)
    custom = reader.mapping(metadata, "custom")
    rule = Rule(
        id=reader.text(custom, "id"),
        title=reader.text(metadata, "title"),
        why=reader.text(metadata, "description"),
        severity=reader.one_of(custom, "severity", SEVERITIES),
        scope=reader.one_of(custom, "scope", tuple(SCOPES)),
        kinds=reader.kinds(custom),
        reads=reader.reads(custom),
        parameters=reader.parameters(custom),
        remedy=reader.text(custom, "remedy"),
        links=reader.links(metadata),
        example=reader.example(custom),
        git_only=reader.text(custom, "git_only") if "git_only" in custom else "",
        file=file,
    )
    if rule.id != file.parent.name:
        raise UserError(f"id {rule.id} is not the folder's name", file=shown, line=start, hint=file.parent.name)
    if package != f"cartwright.rules.{rule.package}":
        raise UserError(
            f"package {package} does not fit the rule's id", file=shown, hint=f"package cartwright.rules.{rule.package}"
        )
    if bool(rule.reads) != (rule.scope == "environment"):
        problem = "a rule of scope environment lists kinds under reads, and no other does"
        raise UserError(problem, file=shown, line=start)
    reader.no_others(metadata, ("title", "description", "related_resources", "custom"))
    reader.no_others(
        custom, ("id", "severity", "scope", "kinds", "reads", "parameters", "remedy", "git_only", "example")
    )
    return rule


def _metadata(file: Path, *, shown: Path) -> tuple[Mapping[str, Any], int, str]:
    """The METADATA block of the package, the one-based line of its first key, and the package's name."""
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next((number for number, line in enumerate(lines) if line.startswith("package ")), None)
    if end is None:
        raise UserError("no package", file=shown)
    start = end
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    if start == end or lines[start].strip() != "# METADATA":
        raise UserError("no METADATA block right above the package", file=shown, line=end + 1)
    text = "\n".join(re.sub(r"^# ?", "", line) for line in lines[start + 1 : end])
    try:
        metadata = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark.line if error.problem_mark else 0
        raise UserError(f"METADATA is not valid YAML: {error.problem}", file=shown, line=start + 2 + mark) from error
    if not isinstance(metadata, dict):
        raise UserError("METADATA is not a mapping", file=shown, line=start + 2)
    return metadata, start + 2, lines[end].removeprefix("package ").strip()


@dataclass(frozen=True)
class _Reader:
    """Typed access to METADATA whose complaints name the file."""

    file: Path
    line: int

    def fail(self, message: str, *, hint: str | None = None) -> UserError:
        return UserError(f"METADATA: {message}", file=self.file, line=self.line, hint=hint)

    def text(self, values: Mapping[str, Any], key: str) -> str:
        value = values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(f"{key} must be a text")
        return " ".join(value.split())

    def mapping(self, values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = values.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(f"{key} must be a mapping")
        return value

    def one_of(self, values: Mapping[str, Any], key: str, choices: Sequence[str]) -> str:
        value = values.get(key)
        if value not in choices:
            raise self.fail(f"{key} is {value!r}", hint=f"one of: {', '.join(choices)}")
        return str(value)

    def no_others(self, values: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in values:
            if key not in known:
                raise self.fail(f"unknown key {key!r}", hint=f"known: {', '.join(known)}")

    def kinds(self, custom: Mapping[str, Any]) -> tuple[Kind, ...]:
        value = custom.get("kinds")
        if value == "pod-carrying":
            return POD_CARRYING
        if not isinstance(value, list) or not value:
            raise self.fail("kinds must be a list of {group, kind}, or pod-carrying")
        if not all(isinstance(item, dict) and item.keys() == {"group", "kind"} for item in value):
            raise self.fail("each of kinds must be {group, kind}")
        return tuple(Kind(group=item["group"], kind=item["kind"]) for item in value)

    def reads(self, custom: Mapping[str, Any]) -> frozenset[Kind]:
        value = custom.get("reads", [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail("reads must be a list of kinds as kubectl spells them, such as Deployment.apps")
        named = [item.partition(".") for item in value if item != "pod-carrying"]
        found = frozenset(Kind(group, kind) for kind, _, group in named)
        return found | frozenset(POD_CARRYING if "pod-carrying" in value else ())

    def parameters(self, custom: Mapping[str, Any]) -> tuple[Parameter, ...]:
        found = []
        for name, schema in self.mapping(custom, "parameters").items():
            if not isinstance(schema, dict) or not {"description", "type", "default"} <= schema.keys():
                raise self.fail(f"parameter {name} must have description, type and default")
            found.append(Parameter(name=name, schema=MappingProxyType(schema)))
        return tuple(found)

    def example(self, custom: Mapping[str, Any]) -> tuple[str, str] | None:
        value = custom.get("example")
        if value is None:
            return None
        if not isinstance(value, dict) or value.keys() != {"bad", "good"}:
            raise self.fail("example must be {bad, good}")
        return str(value["bad"]), str(value["good"])

    def links(self, metadata: Mapping[str, Any]) -> tuple[Link, ...]:
        value = metadata.get("related_resources", [])
        if not isinstance(value, list):
            raise self.fail("related_resources must be a list")
        if not all(isinstance(item, dict) and item.keys() == {"ref", "description"} for item in value):
            raise self.fail("each of related_resources must be {ref, description}")
        return tuple(Link(ref=item["ref"], description=item["description"]) for item in value)
