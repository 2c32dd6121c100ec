"""``cartwright new``: create what a new service needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cartwright.kernel.output import write
from cartwright.tree.repository import find_root, open_tree

app = typer.Typer(no_args_is_help=True, help="Create a new service: code, base, overlays and tests.")


@app.callback()
def root_command() -> None:
    """Create a new service: code, base, overlays and tests."""


@app.command()
def service(  # noqa: PLR0917 - typer maps parameters by name
    name: Annotated[str, typer.Argument(metavar="NAME", help="A DNS label, such as `invoices` or `gift-cards`.")],
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port that its container listens on.")] = 8080,
    database: Annotated[bool, typer.Option("--database", help="With a PostgreSQL database and migrations.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Takes part in events, through RabbitMQ.")] = False,
    redis: Annotated[bool, typer.Option("--redis", help="Uses Redis.")] = False,
    calls: Annotated[
        list[str] | None, typer.Option(metavar="APP", help="A service that it calls over HTTP; may be repeated.")
    ] = None,
) -> None:
    """Create a service that runs: code on the kit, base, an overlay for every environment, network rules, tests.

    Its base says only what is its own; the rest comes from apps/components/http-service. It gets what is asked for
    and nothing else. All is written, or nothing; nothing under argocd/ changes, because a new overlay is found by
    itself. Then the arithmetic is done: does every namespace's quota, and PostgreSQL's max_connections, still fit at
    the most pods that may run at once? If not, a line names the file, the line and the number to raise, exit code 1.

    There is no image yet and so no digest: the overlays state a tag alone, and policies/waivers.yaml gets a waiver for
    30 days that says so. `cartwright images build` prints the digest; write it into the overlays and drop the waiver.
    A database needs the Secret NAME-database, key `password`, in the namespaces shop and data: the embedded cluster
    makes it, elsewhere your secret store does.

    Examples: `cartwright new service invoices --database --calls orders`, `cartwright new service pings --port 9000`.
    """
    from cartwright.scaffold import Service, find_misfits, make_scaffold, write_scaffold

    root = find_root()
    wanted = Service(name=name, port=port, database=database, events=events, redis=redis, calls=tuple(calls or ()))
    scaffold = make_scaffold(open_tree(root), wanted, today=datetime.now(tz=UTC).date())
    write_scaffold(root, scaffold)
    for path in scaffold.folders:
        write(f"created {path}/")
    for path in sorted(scaffold.edited):
        write(f"changed {path}")
    write(f"next: `make setup check`, then `pytest services/{wanted.module}`; see `cartwright new service --help`")
    misfits = find_misfits(open_tree(root))
    for one in misfits:
        write(f"does not fit: {one.file}:{one.line}: {one.message}")
    if misfits:
        raise typer.Exit(1)
