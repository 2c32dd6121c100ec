"""``cartwright networkpolicies``: generate every app's NetworkPolicy from the declared dependency map."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.network import generate, load_dependencies
from cartwright.network.files import stale, write_all
from cartwright.output import write
from cartwright.repository import find_root, open_tree


def networkpolicies(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 and name the files that are not current.")
    ] = False,
) -> None:
    """Generate apps/<group>/<app>/networkpolicy.yaml of every app from apps/dependencies.yaml.

    Examples: `cartwright networkpolicies`, `cartwright networkpolicies --check`.
    """
    root = find_root()
    wanted = generate(load_dependencies(open_tree(root)))
    outdated = stale(root, wanted)
    if check:
        for path in outdated:
            write(f"{path}: is not what apps/dependencies.yaml says (run `cartwright networkpolicies`)")
        if outdated:
            raise typer.Exit(1)
        write(f"{len(wanted)} network policies are current")
        return
    write_all(root, wanted, outdated)
    for path in outdated:
        write(f"wrote {path}")
    write(f"{len(wanted)} network policies, {len(outdated)} written")
