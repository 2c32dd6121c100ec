"""The shop's own objects, broken in one place at a time: the rule must notice.

A mutation that survives is a change which would pass review by `cartwright check`. Each stands with the rule that it
proves, see `cartwright.policy.cases`.
"""

from __future__ import annotations

import copy
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.kernel.identity import identity_of
from cartwright.policy.cases import Mutation
from cartwright.policy.engine import evaluate_fleets
from cartwright.policy.model import load_rules
from cartwright.prove.shop import Objects, Shop

__all__ = ["Outcome", "mutate", "run_mutations"]

_HASH = r"(-[a-z0-9]{10})?"
"""What kustomize appends to the name of a generated ConfigMap; it changes with every content."""


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
        try:
            change.make(after)
        except ValueError as error:
            raise _fault(mutation, str(error)) from error
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
