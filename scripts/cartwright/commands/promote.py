"""``cartwright promote``: move a version from one environment to the next."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.errors import UserError, nearest
from cartwright.output import stdout, write
from cartwright.repository import find_root

_FORMATS = ("text", "json")


def promote(
    app: Annotated[str, typer.Argument(metavar="APP", help="The app: `catalog`, or `shop/catalog`.")],
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="The environment that runs the release.")],
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="The environment that shall get it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what changes, in the file and in the cluster, and write nothing.")
    ] = False,
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Move an app's image tag and digest to the next environment, as one commit on the current branch.

    Reads what is committed, not the work tree. Only the tag and the digest change; other work is left alone.

    Examples: `cartwright promote catalog --from dev --to staging --dry-run`,
    `cartwright promote shop/catalog --from staging --to prod`.
    """
    from cartwright.promotion.commit import promote as deliver
    from cartwright.promotion.plan import make_plan
    from cartwright.promotion.preview import preview
    from cartwright.promotion.report import Outcome, as_json, as_text

    if output not in _FORMATS:
        raise UserError(f"no format '{output}'", hint=nearest(output, _FORMATS))
    root = find_root()
    if dry_run:
        plan = make_plan(root, app, source=source, target=target)
        outcome = Outcome(plan=plan, commit=None, objects=preview(plan) if plan.changes else None)
    else:
        plan, commit = deliver(root, app, source=source, target=target)
        outcome = Outcome(plan=plan, commit=commit, objects=None)
    if output == "json":
        write(as_json(outcome))
    else:
        stdout().print(as_text(outcome))
