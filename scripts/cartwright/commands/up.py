"""``cartwright up``: start the embedded cluster and wait until everything is Synced and Healthy."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.cluster.progress import Progress, summary
from cartwright.cluster.state import Layout
from cartwright.cluster.up import Options
from cartwright.cluster.up import up as bring_up
from cartwright.kernel.output import stderr, stdout
from cartwright.kernel.paths import state_dir
from cartwright.tree.repository import find_root


def up(
    env: Annotated[
        list[str] | None, typer.Option("--env", help="Only this environment (repeatable); the hub always runs.")
    ] = None,
    include_uncommitted: Annotated[
        bool, typer.Option("--include-uncommitted", help="Sync the work tree's uncommitted changes too.")
    ] = False,
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated", envvar="CARTWRIGHT_SIMULATED", help="Simulate every pod, even if containers could run."
        ),
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the Applications.")] = 300,
) -> None:
    """Start the embedded cluster with Argo CD and wait until every Application is Healthy.

    Starts what does not run yet (etcd, a control plane per environment, nodes, Argo CD), pushes HEAD to a bare Git
    remote and waits until Argo CD has synced it everywhere. Run it again after a commit, or after a crash.

    On Linux as root the hub's cluster gets a real node: pods of `shop` and `data` are containers there, from images
    that are built here. Everywhere else pods are simulated.

    Examples: `cartwright up`, `cartwright up --env dev`, `cartwright up --simulated`.

    Exit codes: 0 all Synced and Healthy, 1 not all in time, 2 it could not start.
    """
    root = find_root()
    layout = Layout(state_dir(root).resolve())
    with Progress(stderr()) as progress:
        outcome = bring_up(
            root,
            layout,
            Options(
                environments=tuple(env or ()),
                include_uncommitted=include_uncommitted,
                timeout=timeout,
                simulated=simulated,
            ),
            say=progress.say,
            show=progress.show,
        )
    stdout().print(summary(outcome, layout))
    if outcome.snapshot.unfinished:
        raise typer.Exit(1)
