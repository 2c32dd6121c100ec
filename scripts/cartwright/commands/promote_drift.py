"""``cartwright promote drift``: how two environments' configuration differs where nobody declared that it may."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.commands import promote_options as options
from cartwright.kernel.errors import UserError
from cartwright.kernel.output import stdout, write
from cartwright.options.formats import TEXT, Format
from cartwright.tree.repository import find_root

__all__ = ["drift", "register"]


def drift(
    apps: options.OnlyApps = None,
    *,
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="The environment to compare with.")],
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="The environment that is compared.")],
    everything: Annotated[bool, typer.Option("--all", help="Show what is declared to differ, too.")] = False,
    output: Format = TEXT,
) -> None:
    """Show how two environments' objects differ where nobody has declared that they may.

    Reads what is committed. Images at other versions and promotable keys are no drift, and neither are the fields that
    environments/owned.yaml and an app's promotable.yaml give to the environments.

    Examples: `cartwright promote drift --from staging --to prod`,
    `cartwright promote drift catalog --from staging --to prod --all`.

    Exit codes: 0 no undeclared difference, 1 some, 2 bad input.
    """
    from cartwright.history.git import read_head
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.audit.drift import find_drift
    from cartwright.promotion.report.drift import drift_json, drift_text
    from cartwright.tree.environments import pick_environment

    root = find_root()
    snapshot = open_snapshot(root, read_head(root))
    for name in (source, target):
        pick_environment(snapshot.environments, name)
    if source == target:
        raise UserError(f"--from and --to are both {source}", hint="name two environments")
    names = [snapshot.pick_app(word, environments=(source, target)) for word in apps or ()]
    found = find_drift(snapshot, source, target, names)
    if output == "json":
        write(drift_json(found))
    else:
        stdout().print(drift_text(found, everything=everything))
    if any(one.drift for one in found.apps):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to ``cartwright promote``."""
    app.command()(drift)
