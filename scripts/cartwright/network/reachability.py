"""Whether the rendered policies let through what the declared map says, and nothing else.

What is expected follows from the map alone (`expectation`). What the policies do is cyclonus's word.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.network.cyclonus import Flow, Verdict, ask
from cartwright.network.expectation import expect, is_declared
from cartwright.network.surroundings import Surroundings, surroundings
from cartwright.tools import require
from cartwright.tree.applications import find_applications
from cartwright.tree.dependencies import FILE, DependencyMap, load_dependencies
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import FolderTree

__all__ = ["Proof", "compare", "prove", "prove_all"]


@dataclass(frozen=True)
class Proof:
    """How the policies of an environment compare with the map."""

    declared: int
    """How many flows the map declares, by pods, port and protocol; several pods of an app count by themselves."""
    tried: int
    """How many flows were tried in all."""
    differences: tuple[str, ...]
    """A line on each flow that is not as the map says."""


def compare(
    dependencies: DependencyMap, around: Surroundings, told: Mapping[Flow, Verdict], *, environment: str
) -> Proof:
    """Every flow's verdict beside what the map says of it."""
    expected = expect(dependencies, around)
    if expected.keys() != told.keys():
        raise AssertionError("the answer is on other flows than those of the map")
    return Proof(
        declared=sum(is_declared(dependencies, around, flow) for flow in expected),
        tried=len(told),
        differences=tuple(f"{environment}: {line}" for line in _differences(dependencies, around, expected, told)),
    )


def prove(
    dependencies: DependencyMap, objects: Sequence[Mapping[str, Any]], binary: Path, *, environment: str
) -> Proof:
    """Ask cyclonus about the rendered policies of an environment and compare.

    Raises:
        UserError: see `surroundings`.
        ToolError: see `cartwright.network.cyclonus.ask`.
    """
    around = surroundings(dependencies, objects)
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    told = ask(binary, policies, tuple(around.endpoints.values()), around.namespaces, around.ports)
    return compare(dependencies, around, told, environment=environment)


def prove_all(tree: FolderTree) -> dict[str, Proof]:
    """The proof of every environment, lowest rank first.

    Raises:
        UserError: the map or an environment can't be read, or something can't be rendered.
        ToolError: see `prove`.
    """
    dependencies = load_dependencies(tree)
    environments = load_environments(tree)
    rendered, failures = render(tree, find_applications(tree, environments))
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    objects = {
        name: [
            resource.content
            for one in rendered
            if one.application.environment == name
            for resource in one.resources
            if resource.identity.kind != "CustomResourceDefinition"
        ]
        for name in environments
    }
    binary = require(["cyclonus"])["cyclonus"]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        proofs = pool.map(lambda name: prove(dependencies, objects[name], binary, environment=name), environments)
        return dict(zip(environments, proofs, strict=True))


def _differences(
    dependencies: DependencyMap, around: Surroundings, expected: Mapping[Flow, Verdict], told: Mapping[Flow, Verdict]
) -> Iterator[str]:
    for flow, wanted in expected.items():
        got = told[flow]
        declared = is_declared(dependencies, around, flow)
        both_policed = all(around.endpoints[name].namespace in around.policed for name in (flow.source, flow.target))
        if got.through and (not wanted.through or (both_policed and not declared)):
            yield f"{flow} gets through, and no edge of {FILE} says so"
        elif wanted.through and not got.through:
            halves = [
                half
                for half, is_open in (
                    (f"egress of {flow.source}", got.egress),
                    (f"ingress of {flow.target}", got.ingress),
                )
                if not is_open
            ]
            yield f"{flow} is refused by the {' and the '.join(halves)}, but {FILE} declares it"
        elif got.egress and not wanted.egress:
            yield f"{flow} may leave {flow.source}, and no edge of {FILE} says so"
        elif got.ingress and not wanted.ingress:
            yield f"{flow} may enter {flow.target}, and no edge of {FILE} says so"
        elif got != wanted:
            half = f"leave {flow.source}" if wanted.egress and not got.egress else f"enter {flow.target}"
            yield f"{flow} may not {half}, but {FILE} opens that half"
