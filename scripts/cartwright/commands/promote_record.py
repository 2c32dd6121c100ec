"""``cartwright promote history``, ``matrix``, ``metrics`` and ``verify``: they read what happened and write nothing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cartwright.commands import promote_options as options
from cartwright.commands.promote_options import NAMES
from cartwright.commands.promote_request import ForgeOptions
from cartwright.kernel.errors import UserError
from cartwright.kernel.output import show, stdout, write
from cartwright.options.formats import TEXT, Format
from cartwright.options.spread import spread
from cartwright.tree.repository import find_root

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cartwright.promotion.plan import Context

__all__ = ["history", "matrix", "metrics", "register", "verify"]

_Environments = Annotated[list[str] | None, typer.Option("--env", metavar="ENV", help="Only this one; repeatable.")]


def history(
    app: Annotated[str, typer.Argument(metavar="APP", help=NAMES)],
    *,
    environment: _Environments = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest N entries.")] = None,
    output: Format = TEXT,
) -> None:
    """Show every release that came to an app's environments, with who, why, gates, rollbacks, holds and hand edits.

    Examples: `cartwright promote history catalog`, `cartwright promote history catalog --env prod --limit 5`,
    `cartwright promote history shop/catalog --format json`.
    """
    from cartwright.promotion.audit.timeline import History, read_history
    from cartwright.promotion.report.audit import history_text

    here = _context()
    environments = _environments(here, environment)
    name = here.snapshot.pick_app(app, environments=environments)
    found = read_history(here.record, name, environments=environments)
    found = History(app=found.app, entries=found.entries[:limit], cut=found.cut)
    _print(output, found.to_json, lambda: history_text(found))


def matrix(
    apps: options.OnlyApps = None,
    *,
    environment: _Environments = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only apps for which a release waits.")] = False,
    hub: options.HubOptions,
    output: Format = TEXT,
) -> None:
    """Show what each environment runs of each app, what waits, which gates stop it, and when it could go.

    Registries are not asked here, and neither are signatures: the promotion does.

    Examples: `cartwright promote matrix`, `cartwright promote matrix catalog --env prod`,
    `cartwright promote matrix --waiting --format json`.
    """
    from cartwright.promotion.audit.matrix import read_matrix
    from cartwright.promotion.evidence import Sources
    from cartwright.promotion.report.audit import matrix_text

    here = _context()
    environments = _environments(here, environment)
    names = None if not apps else {here.snapshot.pick_app(app, environments=environments) for app in apps}
    sources = Sources(health=hub.find(here.snapshot.root), signatures=_no_signatures)
    found = read_matrix(here, sources, environments=environments, apps=names)
    if waiting:
        found = found.only_waiting()
    _print(output, found.to_json, lambda: matrix_text(found))


def metrics(
    apps: options.OnlyApps = None,
    *,
    environment: _Environments = None,
    since: Annotated[str, typer.Option(metavar="DURATION|DATE", help="The window: 30d, or 2026-01-31.")] = "30d",
    per_app: Annotated[bool, typer.Option("--per-app", help="Each app's figures, too; JSON always has them.")] = False,
    argocd: Annotated[bool, typer.Option("--argocd", help="Ask Argo CD when each release went live.")] = False,
    hub: options.HubOptions,
    output: Format = TEXT,
) -> None:
    """Show deployment frequency, lead time, change failure rate and time to restore, by environment and app.

    Examples: `cartwright promote metrics`, `cartwright promote metrics --since 90d --per-app`,
    `cartwright promote metrics catalog --env prod --argocd --format json`.
    """
    from cartwright.promotion.argo import UnknownHealthError
    from cartwright.promotion.audit.metrics import measure, read_syncs
    from cartwright.promotion.report.audit import metrics_text

    here = _context()
    environments = _environments(here, environment)
    begin = _begin(since, here.now)
    names = None if not apps else [here.snapshot.pick_app(app, environments=environments) for app in apps]
    syncs = None
    if argocd:
        try:
            syncs = read_syncs(hub.find(here.snapshot.root), here.snapshot, environments=environments, apps=names)
        except UnknownHealthError as error:
            raise UserError(str(error)) from error
    found = measure(
        here.record,
        upstreams={name: one.upstreams for name, one in here.snapshot.environments.items()},
        environments=environments,
        since=begin,
        apps=names,
        syncs=syncs,
    )
    _print(output, found.to_json, lambda: metrics_text(found, apps=per_app))


def verify(*, where: ForgeOptions, output: Format = TEXT) -> None:
    """Prove from Git that what every environment ran came through its gates; name each commit that went past them.

    Where the forge's reviews count as approvals, they are looked up there again. Without a token, or where the forge
    does not answer, a notice says that these were not verified.

    Examples: `cartwright promote verify`, `cartwright promote verify --format json`.

    Exit codes: 0 all came through, 1 some did not, 2 the history can't be read.
    """
    from cartwright.promotion.audit.reviewed import Merged, Reviewed
    from cartwright.promotion.audit.verify import verify as judge_all
    from cartwright.promotion.report.audit import verification_json, verification_text

    here = _context()

    def find() -> Merged:
        base = where.base(here.snapshot.root)
        forge, head = where.connect(base), base.head()
        return Merged(forge, head.short_branch, contains=lambda commit: base.contains(head, commit))

    found = judge_all(here.snapshot, here.record, reviewed=Reviewed(find))
    _print(output, lambda: verification_json(found), lambda: verification_text(found))
    raise typer.Exit(1 if found.findings or found.undone else 0)


def register(app: typer.Typer) -> None:
    """Add the commands to ``cartwright promote``."""
    for command in (history, matrix, metrics, verify):
        app.command()(spread(command))


def _context() -> Context:
    from cartwright.history.git import read_head
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.plan import Context

    root = find_root()
    return Context(snapshot=open_snapshot(root, read_head(root)), by="", now=datetime.datetime.now(datetime.UTC))


def _environments(here: Context, names: list[str] | None) -> tuple[str, ...]:
    from cartwright.tree.environments import pick_environment

    known = here.snapshot.environments
    wanted = {pick_environment(known, name).name for name in names or known}
    return tuple(name for name in known if name in wanted)


def _begin(text: str, now: datetime.datetime) -> datetime.datetime:
    """The moment that a window begins: a duration back from now, or a date in UTC."""
    from cartwright.kernel.moments import parse_duration

    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = now - parse_duration(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    if moment >= now:
        raise UserError(f"--since {text} is not in the past")
    return moment


def _no_signatures(image: str, *, key: Path) -> None:
    raise UserError(f"signatures are not asked for here ({image}, {key})")


def _print(output: str, data: Callable[[], dict[str, Any]], text: Callable[[], RenderableType]) -> None:
    if output == "json":
        write(json.dumps(data(), indent=2, ensure_ascii=False))
    else:
        from rich.text import Text

        rendered = text()
        if isinstance(rendered, Text):
            show(rendered)
        else:
            stdout().print(rendered)
