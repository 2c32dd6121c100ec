"""``cartwright promote``: move versions between environments, and decide what may move.

``cartwright promote APP…`` is the command ``apps``; its name may be left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cartwright.commands import promote_options as options
from cartwright.commands.promote_options import NAMES
from cartwright.kernel.errors import UserError, nearest
from cartwright.options.spread import spread

__all__ = ["app"]


class _Group(TyperGroup):
    """A group whose first word may be left out where it is ``apps``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            if not any(word.startswith("--from") for word in args) and not args[0].startswith("-"):
                # Without --from it may not be meant as `promote APP…`: a misspelt command.
                hint = nearest(args[0], [name for name in self.commands if name != "apps"])
                if hint.startswith("did you mean"):
                    raise UserError(f"no command 'promote {args[0]}'", hint=hint)
            args = ["apps", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    epilog="Example: `cartwright promote catalog --from dev --to staging`, where the word `apps` is left out. "
    "Exit codes: 0 done, or nothing to do; 1 blocked; 2 bad input, or a failure.",
)

From = Annotated[str, typer.Option("--from", metavar="ENV", help="The environment that runs the release.")]
To = Annotated[str, typer.Option("--to", metavar="ENV", help="The environment that shall get it.")]


@app.command("apps")
@spread
def promote(
    *,
    source: From,
    target: To,
    apps: Annotated[list[str] | None, typer.Argument(metavar="APP…", help=NAMES)] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every app that differs and may go; the others wait, and say why.")
    ] = False,
    set_name: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="A set of environments/sets.yaml.")
    ] = None,
    along: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="APP", help="One more app; a promotion that is not whole names those it needs."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="images|config", help="Move one part of the release and keep the target's rest."
        ),
    ] = None,
    bring: Annotated[
        list[str] | None,
        typer.Option("--bring", metavar="PATH", help="Take a component along that no overlay refers to yet."),
    ] = None,
    delivery: options.Delivery,
    overrides: options.Overrides,
    hub: options.HubOptions,
) -> None:
    """Give the next environment what this one runs of apps: images, base and components, as one commit or none.

    Reads what is committed, not the work tree. The release comes byte for byte; what belongs to the target stays.
    Where the target has no overlay of an app, it is made from `overlays` of the target's environment.yaml.
    Every gate of the target's environment.yaml is asked first; exit code 1 where one blocks.

    Examples: `cartwright promote catalog --from dev --to staging --dry-run`,
    `cartwright promote --set checkout --from staging --to prod --push`,
    `cartwright promote catalog --from staging --to prod --only images`.
    """
    from cartwright.promotion.intents import Promote

    if sum((bool(apps), everything, set_name is not None)) != 1:
        raise UserError("name apps, or --set NAME, or --all: one of the three")
    if everything and along:
        raise UserError("--all takes every app", hint="leave --with out")
    if only not in {None, "images", "config"}:
        raise UserError(f"--only {only}", hint=nearest(only or "", ["images", "config"]))
    options.run(
        Promote(
            source=source,
            target=target,
            apps=tuple(apps or ()),
            set_name=set_name,
            along=tuple(along or ()),
            everything=everything,
            only=only,
            bring=tuple(bring or ()),
        ),
        delivery,
        overrides=overrides,
        hub=hub,
    )


@app.command("set")
@spread
def set_image(
    *,
    name: Annotated[str, typer.Argument(metavar="APP", help=NAMES)],
    environment: options.Environment,
    images: Annotated[
        list[str],
        typer.Option("--image", metavar="REPO:TAG[@DIGEST]", help="What was built; again for each image of the app."),
    ],
    offline: Annotated[
        bool, typer.Option("--offline", help="Take tag and digest as given and ask no registry; the commit says so.")
    ] = False,
    embedded: Annotated[
        bool,
        typer.Option(
            "--embedded",
            help="On this machine's embedded cluster: its registry is asked, its bare remote gets the commit.",
        ),
    ] = False,
    delivery: options.Delivery,
    overrides: options.Overrides,
    hub: options.HubOptions,
) -> None:
    """Give an app the image that a build pushed. The registry says its digest; a tag that moved is refused.

    Example: `cartwright promote set catalog --env dev --image registry.example.com/shop/catalog:1.5.0 --push`.
    """
    from cartwright.promotion.intents import SetImage

    mirror = None
    if embedded:
        if delivery.push or delivery.pr or delivery.remote or delivery.branch or offline:
            raise UserError("--embedded says itself where to, and whom to ask", hint="leave the other options out")
        from cartwright.cluster.embedded import find_embedded
        from cartwright.tree.repository import find_root

        found = find_embedded(find_root())
        delivery = replace(delivery, push=True, remote=str(found.remote), branch=found.branch)
        mirror = found.registry
    options.run(
        SetImage(
            app=name,
            environment=environment,
            images=options.resolve_images(
                images,
                environment=environment,
                where=delivery,
                offline=offline,
                mirror=mirror,
            ),
            confirmed=not offline,
        ),
        delivery,
        overrides=overrides,
        hub=hub,
    )


@app.command("rollback")
@spread
def rollback(
    *,
    name: Annotated[str, typer.Argument(metavar="APP", help=NAMES)],
    environment: options.Environment,
    reason: options.Reason,
    release: Annotated[
        str | None,
        typer.Option("--to", metavar="RELEASE", help="Tag or digest of an earlier release; the one before by default."),
    ] = None,
    hold: Annotated[
        str, typer.Option("--hold", metavar="DURATION", help="How long automation must not undo it; `none` for not.")
    ] = "24h",
    delivery: options.Delivery,
    break_glass: options.BreakGlass = None,
) -> None:
    """Give an app a release that the environment ran before, and hold it there.

    It passed the gates when it came first, so only freezes and signatures are asked.

    Example: `cartwright promote rollback catalog --env prod --reason "orders fail since 1.5.0" --hold 24h`.
    """
    from cartwright.promotion.intents import Rollback

    until = None if hold == "none" else options.moment_after(hold)
    options.run(
        Rollback(app=name, environment=environment, reason=reason, release=release, hold_until=until),
        delivery,
        overrides=options.Overrides(break_glass=break_glass),
    )


@app.command("approve")
@spread
def approve(
    *,
    apps: Annotated[list[str], typer.Argument(metavar="APP…", help=NAMES)],
    source: From,
    target: To,
    delivery: options.Delivery,
) -> None:
    """Approve what an environment runs, for the next one: a commit that changes no file and is by you.

    It counts for these digests alone, if the target's environment.yaml says that you may approve the app.
    """
    from cartwright.promotion.intents import Approve

    options.run(
        Approve(apps=tuple(apps), source=source, target=target),
        delivery,
    )


def _register() -> None:
    """The commands of other modules, which stand in the same group."""
    from cartwright.commands import promote_decisions, promote_discover, promote_drift, promote_record

    promote_decisions.register(app)
    promote_discover.register(app)
    promote_record.register(app)
    promote_drift.register(app)


_register()
