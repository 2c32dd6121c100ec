"""What people decide for an environment: ``cartwright promote hold``, ``release-hold``, ``freeze``, ``unfreeze``,
``approve-gates`` and ``withdraw``."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.commands import promote_options as options
from cartwright.commands.promote_options import NAMES
from cartwright.options.spread import spread

__all__ = ["register"]

Apps = Annotated[list[str], typer.Argument(metavar="APP…", help=NAMES)]
For = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="How long: 90s, 10m, 1h30m, 2d.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when: 2026-11-21T08:00:00Z.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    for command in (hold, release_hold, freeze, unfreeze, approve_gates, withdraw):
        app.command()(spread(command))


def hold(
    *,
    apps: Apps,
    environment: options.Environment,
    reason: options.Reason,
    duration: For = None,
    until: Until = None,
    delivery: options.Delivery,
) -> None:
    """Keep apps at the release that they run: nothing else is promoted until the hold ends (24h by default).

    Example: `cartwright promote hold catalog --env prod --reason "sale until Sunday" --until 2026-11-29T22:00:00Z`.
    """
    from cartwright.promotion.intents import Hold

    end = options.end_of(duration, until, default="24h")
    options.run(
        Hold(apps=tuple(apps), environment=environment, reason=reason, until=end),
        delivery,
    )


def release_hold(
    *,
    apps: Apps,
    environment: options.Environment,
    reason: options.Reason,
    delivery: options.Delivery,
) -> None:
    """End the holds on apps before their time."""
    from cartwright.promotion.intents import ReleaseHold

    options.run(
        ReleaseHold(apps=tuple(apps), environment=environment, reason=reason),
        delivery,
    )


def freeze(
    *,
    environment: options.Environment,
    reason: options.Reason,
    begin: Annotated[
        str | None, typer.Option("--begin", metavar="TIME", help="From when: 2026-11-21T08:00:00Z; now by default.")
    ] = None,
    duration: For = None,
    until: Until = None,
    delivery: options.Delivery,
) -> None:
    """Keep everything out of an environment for a time, except by break-glass. Say --for or --until.

    Times that come again stand in environment.yaml.
    """
    from cartwright.promotion.intents import Freeze

    start = options.moment(begin) if begin else options.moment_after("0s")
    end = options.end_of(duration, until, default=None, begin=start)
    options.run(
        Freeze(environment=environment, reason=reason, begin=start, until=end),
        delivery,
    )


def unfreeze(
    *,
    environment: options.Environment,
    reason: options.Reason,
    which: Annotated[
        str | None, typer.Option("--freeze", metavar="REASON", help="The freeze that ends, by its reason; all of them.")
    ] = None,
    delivery: options.Delivery,
) -> None:
    """End the freezes that people decided, before their time."""
    from cartwright.promotion.intents import Unfreeze

    options.run(
        Unfreeze(environment=environment, reason=reason, freeze=which),
        delivery,
    )


def withdraw(
    *,
    apps: Apps,
    environment: options.Environment,
    reason: options.Reason,
    delivery: options.Delivery,
) -> None:
    """Withdraw your approvals of apps for an environment: a commit that changes no file and is by you.

    Approve again if a release should go after all. What was promoted already stays.
    """
    from cartwright.promotion.intents import Withdraw

    options.run(
        Withdraw(apps=tuple(apps), environment=environment, reason=reason),
        delivery,
    )


def approve_gates(
    *,
    environment: options.Environment,
    reason: options.Reason,
    delivery: options.Delivery,
) -> None:
    """Approve what an environment asks for now, where that is less than it was: a commit that changes no file.

    Until as many people have done so as it wanted approvals of (one where it wanted none), the stricter gates stay.
    """
    from cartwright.promotion.intents import ApproveGates

    options.run(
        ApproveGates(environment=environment, reason=reason),
        delivery,
    )
