"""The mutation table: the shop's own objects, broken in one place at a time, and the rule that must notice.

A mutation that survives is a change which would pass review by `cartwright check`. The table stands in
``tests/policies/mutations/*.yaml``.
"""

from __future__ import annotations

import copy
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.kernel.identity import identity_of
from cartwright.policy.engine import evaluate_fleets
from cartwright.policy.model import load_rules
from cartwright.prove.shop import Objects, Shop
from cartwright.yaml.read import line_of, nodes
from cartwright.yaml.validate import load_valid

__all__ = ["FOLDER", "Mutation", "Outcome", "load_mutations", "mutate", "run_mutations"]

FOLDER = "tests/policies/mutations"

_HASH = r"(-[a-z0-9]{10})?"
"""What kustomize appends to the name of a generated ConfigMap; it changes with every content."""

_CHANGE: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["op", "path"],
    "properties": {
        "op": {"enum": ["set", "add", "remove"]},
        "path": {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
        "value": {},
    },
}

_SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["rule", "object", "why"],
        "properties": {
            "rule": {"type": "string"},
            "environment": {"type": "string"},
            "app": {"type": "string"},
            "object": {"type": "string", "pattern": "^(new|[A-Za-z]+(/[^/]+){1,2})$"},
            "change": _CHANGE,
            "changes": {"type": "array", "minItems": 1, "items": _CHANGE},
            "add": {"type": "object"},
            "why": {"type": "string", "minLength": 1},
        },
    },
}


@dataclass(frozen=True)
class Change:
    """One edit of an object."""

    op: str
    """``set`` or ``remove`` a field that is there, ``add`` one that is not (to a list: the index past its end)."""
    path: tuple[str | int, ...]
    value: Any


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


@dataclass(frozen=True)
class Outcome:
    """What came of a mutation."""

    mutation: Mutation
    messages: tuple[str, ...]
    """What the rule said that it does not say of the unbroken shop."""

    @property
    def survived(self) -> bool:
        """Whether the rule overlooked it."""
        return not self.messages


def load_mutations(root: Path) -> tuple[Mutation, ...]:
    """The table, in the order of its files.

    Raises:
        UserError: there is none, or an entry is malformed: file and line.
    """
    files = sorted((root / FOLDER).glob("*.yaml"))
    if not files:
        raise UserError("no mutation found: the rules would be proved by nothing", file=FOLDER)
    return tuple(one for file in files for one in _load(file, shown=f"{FOLDER}/{file.name}"))


def _load(file: Path, *, shown: str) -> Iterator[Mutation]:
    text = file.read_text(encoding="utf-8")
    tree = next(nodes(text, shown))
    for number, entry in enumerate(load_valid(text, shown, dict(_SCHEMA))):
        changes = entry.get("changes", [entry["change"]] if "change" in entry else [])
        line = line_of(tree, [number])[0]
        if (entry["object"] == "new") != ("add" in entry) or bool(changes) == ("add" in entry):
            raise UserError(
                "a mutation either changes an object or adds one",
                file=shown,
                line=line,
                hint="`object: new` goes with `add`, any other with `change` or `changes`",
            )
        yield Mutation(
            rule=entry["rule"],
            environment=entry.get("environment", "prod"),
            app=entry.get("app", ""),
            object=entry["object"],
            changes=tuple(Change(one["op"], tuple(one["path"]), one.get("value")) for one in changes),
            added=entry.get("add"),
            why=entry["why"],
            file=shown,
            line=line,
        )


def mutate(mutation: Mutation, objects: Objects) -> dict[str, list[Mapping[str, Any]]]:
    """The objects with the mutation made; what it does not touch is shared with the originals.

    Raises:
        UserError: the mutation names an object or a field that is not there, or changes nothing.
    """
    result = {app: list(items) for app, items in objects.items()}
    if mutation.added is not None:
        result.setdefault(mutation.app, []).append(mutation.added)
        return result
    app, index = _find(mutation, objects)
    before = result[app][index]
    after = copy.deepcopy(before)
    for change in mutation.changes:
        _make(mutation, change, after)
    if after == before:
        raise _fault(mutation, "changes nothing")
    result[app][index] = after
    return result


def _find(mutation: Mutation, objects: Objects) -> tuple[str, int]:
    kind, *namespace, name = mutation.object.split("/")
    found = [
        (app, index)
        for app, items in objects.items()
        if mutation.app in ("", app)
        for index, content in enumerate(items)
        if content.get("kind") == kind
        and re.fullmatch(re.escape(name) + _HASH, identity_of(content).name)
        and (not namespace or identity_of(content).namespace == namespace[0])
    ]
    if len(found) != 1:
        where = f"{mutation.environment} {mutation.app}".strip()
        raise _fault(mutation, f"{mutation.object} is {len(found)} objects of {where}; expected one")
    return found[0]


def _make(mutation: Mutation, change: Change, content: Any) -> None:
    *parents, last = change.path
    place = content
    try:
        for step in parents:
            place = place[step]
        there = int(last) < len(place) if isinstance(place, list) else last in place
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _fault(mutation, f"{_spelled(change.path)} does not lead anywhere") from error
    if there != (change.op != "add"):
        raise _fault(mutation, f"{_spelled(change.path)} is {'there already' if there else 'not there'}")
    if change.op == "remove":
        del place[last]
    elif isinstance(place, list) and not there:
        place.append(change.value)
    else:
        place[last] = change.value


def _spelled(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path)


def _fault(mutation: Mutation, text: str) -> UserError:
    return UserError(f"mutation for {mutation.rule}: {text}", file=mutation.file, line=mutation.line)


def run_mutations(mutations: Iterable[Mutation], shop: Shop, conftest: Path, *, policies: Path) -> list[Outcome]:
    """Break the shop by each mutation, and see whether its rule notices: one conftest process per rule.

    Raises:
        UserError: as `mutate`; or a mutation names an unknown environment or rule.
    """
    rules = {rule.id: rule for rule in load_rules(policies)}
    groups: dict[tuple[str, str], list[Mutation]] = defaultdict(list)
    for one in mutations:
        if one.environment not in shop.realms:
            raise _fault(one, f"no environment '{one.environment}'")
        if one.rule not in rules:
            raise _fault(one, "no such rule")
        groups[one.environment, one.rule].append(one)

    def judge(group: tuple[tuple[str, str], list[Mutation]]) -> list[Outcome]:
        (realm, rule), members = group
        whole = shop.objects(realm)
        states = [whole, *(mutate(one, whole) for one in members)]
        fleets = [shop.fleet(rules[rule].scope, realm, state, label=str(number)) for number, state in enumerate(states)]
        said: dict[str, set[str]] = defaultdict(set)
        for finding in evaluate_fleets(fleets, conftest, policies=policies, only=[rule]).findings:
            said[finding.file].add(finding.message)
        return [
            Outcome(one, tuple(sorted(said[str(number)] - said["0"]))) for number, one in enumerate(members, start=1)
        ]

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        return [outcome for outcomes in pool.map(judge, groups.items()) for outcome in outcomes]
