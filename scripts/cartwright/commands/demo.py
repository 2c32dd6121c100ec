"""``cartwright demo``: what this repository does, shown on the embedded cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.tree.repository import find_root

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _demo() -> None:
    """Show what this repository does, on the embedded cluster."""


@app.command("order")
def order() -> None:
    """Place an order over HTTP through the gateway, and print it back from PostgreSQL.

    Needs the running cluster with its real node: `cartwright up` as root on Linux.

    Example: `cartwright demo order`.

    Exit codes: 0 the order is in the database, 1 the shop failed, 2 the cluster does not run or is simulated.
    """
    from cartwright.cluster.state import Layout
    from cartwright.demo.order import show
    from cartwright.kernel.paths import state_dir

    show(Layout(state_dir(find_root()).resolve()))


@app.command("load")
def load(
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60,
) -> None:
    """Send requests through the gateway while something else happens, and count those that fail.

    Requests follow each other, every fourth is an order. Roll out a release meanwhile.

    Example: `cartwright demo load --seconds 120`.

    Exit codes: 0 none failed, 1 some did, 2 the cluster does not run or is simulated.
    """
    import time

    from cartwright.cluster.state import Layout
    from cartwright.demo.load import Load
    from cartwright.demo.order import open_shop
    from cartwright.kernel.output import write
    from cartwright.kernel.paths import state_dir

    shop = open_shop(Layout(state_dir(find_root()).resolve()))
    try:
        with Load(shop, shop.stock()["id"]) as running:
            time.sleep(seconds)
    except KeyboardInterrupt:
        write("stopped")
    write(str(running))
    for failure in running.failures[:10]:
        write(f"  {failure}")
    if running.failures:
        raise typer.Exit(1)


@app.command("promotion")
def promotion(
    *,
    use_running: Annotated[
        bool,
        typer.Option("--use-running", help="Use this checkout's running cluster; its branch is restored afterwards."),
    ] = False,
) -> None:
    """Promote a release from dev to prod, closing every gate once on the way, roll it back, and show the record.

    Works in a clone of HEAD, with gates of seconds, its own registry and its own cluster, and removes all of it
    afterwards. Offline, four to five minutes on two busy cores.

    Example: `cartwright demo promotion`.

    Exit codes: 0 every step ended as expected, 1 some did not, 2 it could not start.
    """
    from cartwright.demo.walkthrough import show

    show(find_root(), use_running=use_running)
