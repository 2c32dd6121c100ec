"""``cartwright promote discover``: which newer versions the registry has of what an environment runs."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Annotated

import typer

from cartwright.commands import promote_options as options
from cartwright.commands.promote_options import NAMES
from cartwright.kernel.errors import UserError
from cartwright.kernel.output import show, write
from cartwright.options.spread import spread
from cartwright.tree.repository import find_root

__all__ = ["discover", "register"]


def discover(
    *,
    name: Annotated[str, typer.Argument(metavar="APP", help=NAMES)],
    policy: Annotated[
        str, typer.Option("--policy", metavar="POLICY", help="semver:RANGE, regex:PATTERN or newest-build.")
    ],
    environment: Annotated[
        str | None, typer.Option("--env", metavar="ENV", help="By default the one where releases enter: no upstreams.")
    ] = None,
    images: Annotated[
        list[str] | None, typer.Option("--image", metavar="REPO", help="Only this one of the app's images; repeatable.")
    ] = None,
    is_set: Annotated[
        bool, typer.Option("--set", help="Commit what was found, as `promote set` does: with its gates and options.")
    ] = False,
    delivery: options.Delivery,
    overrides: options.Overrides,
    hub: options.HubOptions,
) -> None:
    """Ask the registry for newer versions of an app's images, and commit them with --set.

    semver:RANGE takes semantic versions in a range, as npm reads it; pre-releases only where the range names one.

    regex:PATTERN takes tags that the pattern fits as a whole. Its named groups order them, else the whole tag does;
    numbers count as numbers.

    newest-build takes the image that was built last, as its configuration or its annotation says.

    The digest of what is found is looked up. A tag that moved is refused.

    Examples: `cartwright promote discover catalog --policy 'semver:^1.4'`,
    `cartwright promote discover catalog --policy 'regex:build-(?P<number>[0-9]+)' --set --push`.

    Exit codes: 0 newer versions or none; 1 a registry does not answer, a tag moved, or with --set a gate blocks; 2 bad
    input.
    """
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.discovery import discover as look
    from cartwright.promotion.discovery import entry_environment
    from cartwright.promotion.intents import SetImage
    from cartwright.promotion.report.discovery import discovery_data, discovery_text
    from cartwright.promotion.versions import parse_policy

    if not is_set:
        _require_unused(delivery, overrides)
    wanted = parse_policy(policy)
    root = find_root()
    snapshot = open_snapshot(root, delivery.destination(root).head())
    target = entry_environment(snapshot, environment)
    found = look(snapshot, name, target, wanted, images=images or ())
    outcome = None
    if is_set and found.newer:
        outcome = options.carry_out(
            SetImage(app=found.app, environment=target.name, images=found.newer),
            delivery,
            overrides=overrides,
            hub=hub,
        )
    if delivery.output == "json":
        write(json.dumps(discovery_data(found, outcome.data() if outcome else None), indent=2))
    else:
        show(discovery_text(found, is_set=is_set))
        if outcome is not None:
            show(outcome.text())
    if outcome is not None:
        outcome.end()


def register(app: typer.Typer) -> None:
    """Add the command to ``cartwright promote``."""
    app.command()(spread(discover))


def _require_unused(*groups: object) -> None:
    """Prove that nothing was said about a commit that is not wanted.

    Raises:
        UserError: an option makes sense with ``--set`` only.
    """
    for group in groups:
        for field in fields(group):  # type: ignore[arg-type]
            if field.name != "output" and (getattr(group, field.name) or None) != (field.default or None):
                raise UserError(f"--{field.name.replace('_', '-')} says how to commit", hint="add --set")
