"""The cases that prove a rule: ``policies/rules/<id>/cases.yaml``.

A case is a world of its own: it starts from a list of base objects and changes them. One under ``fail`` says what the
rule finds, word for word; one under ``pass`` is met with silence. ``mutations`` break the shop's own objects, and the
rule must notice.

In a case of a rule of scope ``fleet`` the label ``cartwright.dev/environment`` says which environment an object is of;
they come in the order in which a version passes them, each the upstream of the next. A document of kind ``Facts``
(``cartwright.dev/v1``) holds what Git would tell under ``facts``.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.policy.adapter import ENVIRONMENT, Fleet, Realm
from cartwright.policy.changes import CHANGE_SCHEMA, Change
from cartwright.policy.documents import Document, objects_in
from cartwright.policy.model import Rule
from cartwright.yaml.dump import dump_all
from cartwright.yaml.read import line_of, nodes
from cartwright.yaml.validate import load_valid

__all__ = ["CASES", "Case", "Expected", "Mutation", "fleets_of", "load_cases", "load_mutations"]

CASES = "cases.yaml"
"""The file beside a rule's Rego."""

_ENVIRONMENT = "cartwright.dev/environment"
_FACTS = "cartwright.dev/Facts"
_WIDTH = 110
"""Characters to a line of a manifest in the rules' pages."""

_FINDING: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["at", "message"],
    "properties": {
        "at": {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
        "message": {"type": "string", "minLength": 1},
    },
}
_CHANGES: Mapping[str, Any] = {"type": "array", "minItems": 1, "items": CHANGE_SCHEMA}
_OBJECTS: Mapping[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "object"}}


def _cases(required: Sequence[str], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["why", *required],
            "properties": {
                "why": {"type": "string", "pattern": r"\.$"},
                "base": {"type": "string"},
                "changes": _CHANGES,
                "objects": _OBJECTS,
                **properties,
            },
        },
    }


_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["fail", "pass", "mutations"],
    "properties": {
        "bases": {"type": "object", "minProperties": 1, "additionalProperties": _OBJECTS},
        "fail": _cases(["findings"], {"findings": {"type": "array", "minItems": 1, "items": _FINDING}}),
        "pass": _cases([], {}),
        "mutations": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["object", "why"],
                "properties": {
                    "environment": {"type": "string"},
                    "app": {"type": "string"},
                    "object": {"type": "string", "pattern": "^(new|[A-Za-z]+(/[^/]+){1,2})$"},
                    "change": CHANGE_SCHEMA,
                    "changes": _CHANGES,
                    "add": {"type": "object"},
                    "why": {"type": "string", "minLength": 1},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Expected:
    """A finding that a case must yield."""

    at: tuple[str | int, ...]
    """Position among the case's objects, then the path to the field."""
    message: str


@dataclass(frozen=True)
class Case:
    """Objects, and what their rule finds in them."""

    rule: str
    verdict: str
    """``fail`` or ``pass``."""
    name: str
    """Unique among the rule's cases of that verdict."""
    why: str
    """What it shows, one sentence."""
    objects: tuple[Mapping[str, Any], ...]
    findings: tuple[Expected, ...]
    """In no order that counts; empty for a case that passes."""
    file: str
    """Relative to the repository's root."""
    line: int

    @property
    def label(self) -> str:
        """Its name among the cases of all rules: the path of its documents."""
        return f"{self.rule}/{self.verdict}/{self.name}"

    @property
    def documents(self) -> list[Document]:
        """Its objects, as the engine takes them."""
        return [one for index, content in enumerate(self.objects) for one in objects_in(self.label, index, content)]

    @cached_property
    def text(self) -> str:
        """Its objects as a manifest."""
        return dump_all(self.objects, width=_WIDTH)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.verdict} {self.name}"


@dataclass(frozen=True)
class Mutation:
    """One way to break the shop, and the rule that must notice."""

    rule: str
    environment: str
    app: str
    """``group/name`` of the app whose object is changed; empty where the object's name alone decides."""
    object: str
    """``Kind/name`` or ``Kind/namespace/name``; ``new`` for one that is added."""
    changes: tuple[Change, ...]
    added: Mapping[str, Any] | None
    """The whole object that is added."""
    why: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.rule}: {self.why}"


def load_cases(rules: Iterable[Rule]) -> tuple[Case, ...]:
    """The cases of these rules, rule by rule.

    Raises:
        UserError: a rule has no cases, or they are malformed: file and line.
    """
    return tuple(case for rule in rules for case in _Reader(rule).cases())


def load_mutations(rules: Iterable[Rule]) -> tuple[Mutation, ...]:
    """The mutations that these rules must notice, rule by rule.

    Raises:
        UserError: as `load_cases`.
    """
    return tuple(mutation for rule in rules for mutation in _Reader(rule).mutations())


def fleets_of(cases: Iterable[Case], rules: Iterable[Rule]) -> list[Fleet]:
    """What each case's rule sees of it.

    Args:
        cases: any.
        rules: those that they belong to.
    """
    across = {rule.id for rule in rules if rule.scope == "fleet"}
    return [_fleet(case) if case.rule in across else Fleet([Realm(case.documents)]) for case in cases]


def _fleet(case: Case) -> Fleet:
    environments: dict[str, list[Document]] = defaultdict(list)
    facts: dict[str, Any] = {}
    for document in case.documents:
        if document.kind_key == _FACTS:
            facts |= document.object["facts"]
        labels = (document.object.get("metadata") or {}).get("labels") or {}
        environments[labels.get(_ENVIRONMENT, "")].append(document)
    order = [name for name in environments if name]
    return Fleet(
        realms=[
            Realm(
                found,
                name=name,
                upstreams=tuple(order[max(order.index(name) - 1, 0) : order.index(name)]) if name else (),
                scopes=ENVIRONMENT,
            )
            for name, found in environments.items()
        ],
        facts=facts,
    )


class _Reader:
    """The file of one rule."""

    def __init__(self, rule: Rule) -> None:
        file = rule.file.parent / CASES
        self._rule = rule.id
        self._file = str(file.relative_to(rule.file.parents[3]))
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise UserError(f"rule {rule.id} has no {CASES}: nothing proves it", file=self._file) from error
        self._content: Mapping[str, Any] = load_valid(text, self._file, dict(_SCHEMA))
        self._tree = next(nodes(text, self._file))

    def cases(self) -> Iterator[Case]:
        for verdict in ("fail", "pass"):
            for name, entry in self._content[verdict].items():
                place = (verdict, name)
                yield Case(
                    rule=self._rule,
                    verdict=verdict,
                    name=name,
                    why=entry["why"],
                    objects=tuple(self._objects(entry, place)),
                    findings=tuple(Expected(tuple(one["at"]), one["message"]) for one in entry.get("findings", ())),
                    file=self._file,
                    line=self._line(place),
                )

    def mutations(self) -> Iterator[Mutation]:
        for number, entry in enumerate(self._content["mutations"]):
            changes = entry.get("changes", [entry["change"]] if "change" in entry else [])
            place = ("mutations", number)
            if (entry["object"] == "new") != ("add" in entry) or bool(changes) == ("add" in entry):
                raise self._fault(
                    "a mutation either changes an object or adds one",
                    place,
                    hint="`object: new` goes with `add`, any other with `change` or `changes`",
                )
            yield Mutation(
                rule=self._rule,
                environment=entry.get("environment", "prod"),
                app=entry.get("app", ""),
                object=entry["object"],
                changes=tuple(map(Change.read, changes)),
                added=entry.get("add"),
                why=entry["why"],
                file=self._file,
                line=self._line(place),
            )

    def _objects(self, entry: Mapping[str, Any], place: tuple[str, str]) -> list[Mapping[str, Any]]:
        """The objects that stand in the case, or its base with the changes made."""
        if "objects" in entry:
            if entry.keys() & {"base", "changes"}:
                raise self._fault("a case has objects of its own, or a base and changes", place)
            own: list[Mapping[str, Any]] = entry["objects"]
            return own
        bases: Mapping[str, Any] = self._content.get("bases", {})
        name = entry.get("base", next(iter(bases), None))
        if name not in bases:
            raise self._fault(f"no base '{name}'", place, hint=f"one of: {', '.join(bases)}" if bases else None)
        objects = copy.deepcopy(bases[name])
        for number, one in enumerate(entry.get("changes", ())):
            before = repr(objects)
            try:
                Change.read(one).make(objects)
            except ValueError as error:
                raise self._fault(str(error), (*place, "changes", number)) from error
            if repr(objects) == before:
                raise self._fault("changes nothing", (*place, "changes", number))
        return list(objects)

    def _line(self, place: Sequence[str | int]) -> int:
        return line_of(self._tree, place)[0]

    def _fault(self, message: str, place: Sequence[str | int], hint: str | None = None) -> UserError:
        return UserError(message, file=self._file, line=self._line(place), hint=hint)
