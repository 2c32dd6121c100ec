"""``cartwright promote drift`` and ``diff``: how environments differ, and what a promotion would change."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cartwright.commands import promote_options as options
from cartwright.kernel.errors import UserError
from cartwright.kernel.output import stdout, write
from cartwright.options.formats import TEXT, Format
from cartwright.tree.repository import find_root

__all__ = ["diff", "drift", "register"]


def drift(
    apps: options.OnlyApps = None,
    *,
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="The environment to compare with.")],
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="The environment that is compared.")],
    everything: Annotated[bool, typer.Option("--all", help="Show what is declared to differ, too.")] = False,
    output: Format = TEXT,
) -> None:
    """Show how two environments' objects differ where nobody has declared that they may.

    Reads what is committed. What the source's release would bring is not drift, and neither are the fields that
    environments/owned.yaml gives to the environments.

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


def diff(
    apps: Annotated[list[str], typer.Argument(metavar="APP…", help=options.NAMES)],
    *,
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="The environment that runs the release.")],
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="The environment that would get it.")],
    output: Format = TEXT,
) -> None:
    """Show the objects that a promotion would change, and ask no gate.

    Example: `cartwright promote diff catalog --from dev --to staging`.

    Exit codes: 0 nothing would change, 1 something would, 2 bad input.
    """
    import datetime

    from cartwright.history.git import read_head
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.intents import Promote
    from cartwright.promotion.land.deliver import Result
    from cartwright.promotion.plan import Context
    from cartwright.promotion.planning import make_plan
    from cartwright.promotion.report.outcome import as_data, as_text
    from cartwright.promotion.report.preview import preview

    root = find_root()
    snapshot = open_snapshot(root, read_head(root))
    context = Context(snapshot=snapshot, by="nobody", now=datetime.datetime.now(datetime.UTC))
    plan = make_plan(Promote(source=source, target=target, apps=tuple(apps)), context)
    result = Result(plan=plan, status="unchanged" if plan.is_noop else "planned")
    objects = preview(plan)
    if output == "json":
        write(json.dumps(as_data(result, objects), indent=2))
    else:
        stdout().print(as_text(result, objects))
    if objects:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to ``cartwright promote``."""
    app.command()(drift)
    app.command()(diff)
