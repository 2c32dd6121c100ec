"""Options that the commands of ``cartwright promote`` share, and the one way in which they are run."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cartwright.commands.promote_request import ForgeOptions
from cartwright.kernel.errors import UserError
from cartwright.kernel.output import show, write
from cartwright.options.formats import TEXT, Format
from cartwright.tree.repository import find_root

if TYPE_CHECKING:
    from rich.text import Text

    from cartwright.promotion.argo import HealthSource
    from cartwright.promotion.intents import Intent
    from cartwright.promotion.land.deliver import Destination, Permission, Result
    from cartwright.promotion.report.preview import ObjectDiff
    from cartwright.promotion.request.forge import Proposed
    from cartwright.registry.reference import Reference

__all__ = [
    "NAMES",
    "Delivery",
    "Environment",
    "HubOptions",
    "OnlyApps",
    "Outcome",
    "Overrides",
    "Reason",
    "carry_out",
    "end_of",
    "moment",
    "moment_after",
    "resolve_images",
    "run",
]

NAMES = "`catalog`, or `shop/catalog`."

Environment = Annotated[str, typer.Option("--env", metavar="ENV", help="The environment.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: people who are stopped read it, and history keeps it.")]
OnlyApps = Annotated[list[str] | None, typer.Argument(metavar="[APP]…", help="Only these apps.")]
BreakGlass = Annotated[
    str | None,
    typer.Option("--break-glass", metavar="'NAME: reason'", help="Go past every gate; history keeps who and why."),
]


@dataclass(frozen=True, kw_only=True)
class Delivery(ForgeOptions):
    """How an intent is delivered: where its commit goes, and how it is told."""

    push: Annotated[
        bool, typer.Option("--push", help="Commit on the remote's branch and leave this clone as it is.")
    ] = False
    pr: Annotated[
        bool, typer.Option("--pr", help="Open a pull or merge request in place of a push; a draft while a gate blocks.")
    ] = False
    auto_merge: Annotated[
        bool, typer.Option("--auto-merge/--no-auto-merge", help="With --pr: the forge merges it once all gates pass.")
    ] = True
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what changes, in files and cluster, and every gate; write nothing.")
    ] = False
    output: Format = TEXT

    def destination(self, root: Path) -> Destination:
        """The branch that the plan is made for.

        Raises:
            UserError: options that do not fit together, or a remote or branch that there is not.
        """
        from cartwright.promotion.land.worktree import WorkTree

        if self.pr and self.push:
            raise UserError("--push and --pr are two ways to deliver", hint="give one of them")
        if not self.pr:
            self.require_unused("add --pr")
        if self.push or self.pr:
            remote = self.base(root)
            remote.ask_ahead()
            return remote
        if self.remote or self.branch:
            raise UserError("--remote and --branch say where to push", hint="add --push, or --pr")
        return WorkTree(root=root)


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """Where Argo CD is asked."""

    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Of the cluster with Argo CD; the embedded one's by default.")
    ] = None
    context: Annotated[str | None, typer.Option("--context", metavar="NAME", help="Context of that kubeconfig.")] = None

    def find(self, root: Path) -> HealthSource:
        """The Argo CD that is meant."""
        from cartwright.cluster.find import find_hub

        return find_hub(root, kubeconfig=self.kubeconfig, context=self.context)


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What a person takes upon themself."""

    break_glass: BreakGlass = None
    override_hold: Annotated[
        str | None, typer.Option("--override-hold", metavar="REASON", help="Go past a hold; history keeps why.")
    ] = None
    approved_by: Annotated[
        list[str] | None,
        typer.Option("--approved-by", metavar="ADDRESS", help="You, if you may approve: the commit is your approval."),
    ] = None

    def permission(self) -> Permission:
        """The same for the engine."""
        from cartwright.promotion.land.deliver import Permission

        return Permission(
            break_glass=self.break_glass,
            override_hold=self.override_hold,
            approved_by=tuple(self.approved_by or ()),
        )


@dataclass(frozen=True)
class Outcome:
    """What came of an intent, ready to be told."""

    result: Result
    objects: Sequence[ObjectDiff] | None
    """The objects that change; None where nothing was rendered."""
    request: Proposed | None

    @property
    def exit_code(self) -> int:
        """1 where a gate blocks, else 0."""
        from cartwright.promotion.report.outcome import exit_code

        return exit_code(self.result, self.request)

    def end(self) -> None:
        """End as the outcome asks.

        Raises:
            CartwrightError: a request was opened, and a later step failed.
            Exit: a gate blocks.
        """
        if self.request is not None and self.request.failure is not None:
            raise self.request.failure
        if self.exit_code:
            raise typer.Exit(self.exit_code)

    def data(self) -> dict[str, Any]:
        """The outcome for programs."""
        from cartwright.promotion.report.outcome import as_data

        return as_data(self.result, self.objects, self.request)

    def text(self) -> Text:
        """The outcome for people."""
        from cartwright.promotion.report.outcome import as_text

        return as_text(self.result, self.objects, self.request)


def run(
    intent: Intent,
    delivery: Delivery,
    *,
    overrides: Overrides | None = None,
    hub: HubOptions | None = None,
) -> None:
    """Deliver an intent, print what came of it, and end with 1 where a gate blocks.

    Raises:
        CartwrightError: it was not delivered, or a request was opened and a later step failed.
    """
    outcome = carry_out(intent, delivery, overrides=overrides, hub=hub)
    if delivery.output == "json":
        write(json.dumps(outcome.data(), indent=2))
    else:
        show(outcome.text())
    outcome.end()


def carry_out(
    intent: Intent,
    delivery: Delivery,
    *,
    overrides: Overrides | None = None,
    hub: HubOptions | None = None,
) -> Outcome:
    """Deliver an intent as the options say.

    Raises:
        UserError, Blocked: see :func:`cartwright.promotion.land.deliver.deliver`; or options do not fit together.
    """
    root = find_root()
    # First of all, as a remote answers while the rest is loaded.
    destination = delivery.destination(root)
    from cartwright.promotion.evidence import Sources
    from cartwright.promotion.land.deliver import deliver
    from cartwright.promotion.signatures import verify as verify_signature

    permission = (overrides or Overrides()).permission()
    sources = Sources(health=(hub or HubOptions()).find(root), signatures=verify_signature)
    proposed = None
    if delivery.pr and not delivery.dry_run:
        from cartwright.promotion.request.proposal import deliver_request

        base = delivery.base(root)
        result, proposed = deliver_request(
            root,
            intent,
            base=base,
            forge=delivery.connect(base),
            sources=sources,
            permission=permission,
            auto_merge=delivery.auto_merge,
        )
    else:
        result = deliver(
            root, intent, destination=destination, sources=sources, permission=permission, dry_run=delivery.dry_run
        )
    objects = None
    if delivery.dry_run and not result.plan.is_noop:
        from cartwright.promotion.report.preview import preview

        objects = preview(result.plan)
    return Outcome(result, objects, proposed)


def resolve_images(
    references: Sequence[str], *, environment: str, where: Delivery, offline: bool = False, mirror: str | None = None
) -> tuple[Reference, ...]:
    """What the registry says of images that an environment shall get.

    Args:
        where: the branch that gets the commit. Its environment.yaml says for which platforms an image must be built,
            as the gates read it there too.
        offline: take tag and digest as they are given; the commit says that nobody was asked.
        mirror: ``host:port`` of the registry to ask in place of the one that the name says.

    Raises:
        UserError: a reference is none, names no version, or offline no digest; or no such environment.
        RegistryError: the registry does not confirm it: the tag moved, or there is no such image.
    """
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.gates.registry import platforms_of
    from cartwright.registry.reference import parse_reference, require_version
    from cartwright.tree.environments import pick_environment

    root = find_root()
    target = pick_environment(open_snapshot(root, where.destination(root).head()).environments, environment)
    platforms = platforms_of(target.content["gates"])
    images = []
    for text in references:
        reference = parse_reference(text)
        require_version(reference)
        if offline and reference.digest is None:
            raise UserError(f"image '{text}' has no digest", hint="offline nobody can look it up: REPO:TAG@DIGEST")
        asked = replace(reference, name=f"{mirror}/{reference.repository}") if mirror else reference
        digest = reference.digest if offline and reference.digest else _digest(asked, platforms)
        images.append(replace(reference, digest=digest))
    return tuple(images)


def _digest(reference: Reference, platforms: Sequence[str]) -> str:
    from cartwright.promotion.published import RegistryError, resolve

    try:
        return resolve(reference, platforms=platforms).digest
    except RegistryError as error:
        if error.is_transient and reference.digest:
            raise RegistryError(error.code, f"{error} (--offline takes tag and digest as they are given)") from error
        raise


def moment(text: str) -> datetime.datetime:
    """A moment as RFC 3339 writes it.

    Raises:
        UserError: it is none, or says no offset.
    """
    from cartwright.kernel.moments import parse_instant

    found = parse_instant(text)
    if found is None:
        raise UserError(f"'{text}' is not a time with an offset from UTC", hint="such as 2026-11-21T08:00:00Z")
    return found


def moment_after(duration: str) -> datetime.datetime:
    """The moment that comes so long after now.

    Raises:
        UserError: it is not a duration.
    """
    from cartwright.kernel.moments import parse_duration

    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + parse_duration(duration)


def end_of(
    duration: str | None, until: str | None, *, default: str | None, begin: datetime.datetime | None = None
) -> datetime.datetime:
    """The end that ``--for`` or ``--until`` names.

    Raises:
        UserError: both are given, or none where there is no default.
    """
    if duration is not None and until is not None:
        raise UserError("--for and --until both say when it ends", hint="give one of them")
    if until is not None:
        return moment(until)
    if duration is None and default is None:
        raise UserError("when does it end?", hint="--for 2h, or --until 2026-11-21T08:00:00Z")
    from cartwright.kernel.moments import parse_duration

    start = begin or datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return start + parse_duration(duration or default or "")
