"""``cartwright networkpolicies``: generate NetworkPolicies from the declared map, or prove them against it."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.kernel.output import write
from cartwright.network import generate, load_dependencies
from cartwright.options.generating import write_generated
from cartwright.tree.repository import find_root, open_tree

_SHOWN = 20
"""Differences of one environment that are printed; a namespace without default-deny has hundreds."""


def networkpolicies(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 and name the files that are not current.")
    ] = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Write nothing; let cyclonus compute what every environment's policies allow, and exit 1 if that is "
            "not what the map declares.",
        ),
    ] = False,
) -> None:
    """Generate apps/<group>/<app>/networkpolicy.yaml of every app from apps/dependencies.yaml.

    Examples: `cartwright networkpolicies`, `cartwright networkpolicies --check`, `cartwright networkpolicies --prove`.
    """
    if prove:
        _prove()
        return
    root = find_root()
    write_generated(
        root,
        generate(load_dependencies(open_tree(root))),
        check=check,
        what="network policies",
        source="apps/dependencies.yaml says",
        again="cartwright networkpolicies",
    )


def _prove() -> None:
    from cartwright.network.reachability import prove_all

    proofs = prove_all(open_tree(find_root()))
    for environment, proof in proofs.items():
        for line in proof.differences[:_SHOWN]:
            write(line)
        if len(proof.differences) > _SHOWN:
            write(f"{environment}: and {len(proof.differences) - _SHOWN} more")
        if not proof.differences:
            allowed = f"{proof.declared} of {proof.tried} tested connections are allowed"
            write(f"{environment}: {allowed}, exactly those declared")
    if any(proof.differences for proof in proofs.values()):
        raise typer.Exit(1)
