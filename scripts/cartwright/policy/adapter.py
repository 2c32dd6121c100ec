"""The two documents that ``policies/conftest/main.rego`` reads: what to ask, and of which objects."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from cartwright.policy.documents import Document
from cartwright.policy.model import SCOPES, Rule

__all__ = ["ENVIRONMENT", "HUB", "LOOSE", "Fleet", "Realm", "by_file", "data_document", "input_document"]

ENVIRONMENT = frozenset({"object", "environment", "fleet"})
"""Scopes of the rules that an environment's objects are asked."""
HUB = frozenset({"hub"})
"""Scopes of the rules that the objects of Argo CD's own cluster are asked."""
LOOSE = frozenset(SCOPES) - {"fleet"}
"""Scopes of the rules that objects of no environment are asked: those of a folder, whatever it is for."""


@dataclass(frozen=True)
class Realm:
    """Objects that see each other: those of one environment, of the hub, or of one folder or file."""

    documents: Sequence[Document]
    name: str = ""
    """The environment's name, ``hub``, or nothing; unique within a fleet."""
    upstreams: tuple[str, ...] = ()
    """Names of the environments that a version runs in before it comes here."""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Values for rules' parameters, by rule id and name; the rest keep their defaults."""
    scopes: frozenset[str] = LOOSE
    """Scopes of the rules to ask about these objects; with none they are only seen by others."""


@dataclass(frozen=True)
class Fleet:
    """Realms that rules of scope ``fleet`` see side by side."""

    realms: Sequence[Realm]
    """In the order in which a version passes them."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What no manifest says, see `cartwright.policy.facts`."""


def by_file(documents: Iterable[Document], parameters: Mapping[str, Mapping[str, Any]]) -> list[Fleet]:
    """A fleet for each file, so that only objects of the same file see each other."""
    files: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        files[document.path].append(document)
    return [Fleet([Realm(found, parameters=parameters)]) for found in files.values()]


def data_document(rules: Sequence[Rule], fleets: Sequence[Fleet], *, share: int = 0) -> dict[str, Any]:
    """``data``: the rules, and which of them a realm's objects are asked: by kind, in batches with their parameters.

    Args:
        rules: the rules to ask.
        fleets: the objects.
        share: which share of the objects to judge; all of them are seen.
    """
    return {
        "run": {
            "share": share,
            "rules": {rule.package: {"id": rule.id, "severity": rule.severity} for rule in rules},
            "asked": {
                _asked(realm): _by_kind([rule for rule in rules if rule.scope in realm.scopes], realm.parameters)
                for realm in {_asked(realm): realm for fleet in fleets for realm in fleet.realms}.values()
            },
        }
    }


def input_document(fleets: Sequence[Fleet], *, shares: int = 1) -> dict[str, Any]:
    """``input``: the objects, realm by realm, fleet by fleet, dealt out to as many shares."""
    turn = count()
    return {
        "fleets": [
            {
                "facts": fleet.facts,
                "realms": [
                    {
                        "name": realm.name,
                        "upstreams": realm.upstreams,
                        "asked": _asked(realm),
                        "entries": [_entry(document, share=next(turn) % shares) for document in realm.documents],
                    }
                    for realm in fleet.realms
                ],
            }
            for fleet in fleets
        ]
    }


def _entry(document: Document, *, share: int) -> dict[str, Any]:
    return {
        "share": share,
        "path": document.path,
        "index": document.index,
        "item": document.item,
        "kind": document.kind_key,
        "object": document.object,
    }


def _asked(realm: Realm) -> str:
    """The key under which realms with the same scopes and parameters share what they are asked."""
    return json.dumps([sorted(realm.scopes), realm.parameters], sort_keys=True, default=str)


def _by_kind(rules: Sequence[Rule], parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        for kind in rule.kinds:
            kinds[kind.key].append(rule)
    return {kind: _batches(found, parameters) for kind, found in kinds.items()}


def _batches(rules: Sequence[Rule], parameters: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules that can be asked together: no two of them mean different things by a parameter's name.

    A rule reads only the parameters that its METADATA names, so those of others do not disturb it, and what is
    computed of an object is computed once for all rules of a batch.
    """
    batches: list[dict[str, Any]] = []
    for rule in rules:
        values = {**rule.defaults, **parameters.get(rule.id, {})}
        for batch in batches:
            shared = batch["parameters"]
            if all(name not in shared or shared[name] == value for name, value in values.items()):
                shared |= values
                batch["rules"].append(rule.package)
                break
        else:
            batches.append({"parameters": values, "rules": [rule.package]})
    return batches
