"""``cartwright status``: what runs in the embedded cluster."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.live import Live

from cartwright.cluster.state import Layout
from cartwright.cluster.status import ClusterReport, read_status
from cartwright.kernel.output import stdout, write
from cartwright.kernel.paths import state_dir
from cartwright.options.formats import known
from cartwright.tree.repository import find_root

_WATCH_SECONDS = 2.0


def status(
    pods: Annotated[bool, typer.Option("--pods", help="Also list every pod: real or simulated, and where.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")] = False,
    output: Annotated[
        str, typer.Option("--format", help="text or json; json prints one line per look.", callback=known)
    ] = "text",
) -> None:
    """Show sync, health, revision and image of every app in every environment.

    Examples: `cartwright status`, `cartwright status --pods`, `cartwright status --watch`.

    Exit codes: 0 all Synced and Healthy, 1 not all of them, 2 the cluster does not run.
    """
    root = find_root()
    layout = Layout(state_dir(root).resolve())
    report = read_status(root, layout)
    if output == "json":
        write(json.dumps(report.to_json(), indent=None if watch else 2))
        while watch:
            report = _look_again(layout)
            write(json.dumps(report.to_json()))
    elif watch:
        with Live(report.to_table(), console=stdout(), auto_refresh=False) as live:
            while True:
                report = _look_again(layout)
                live.update(report.to_table(), refresh=True)
    else:
        stdout().print(report.to_table())
        if pods:
            stdout().print()
            stdout().print(report.to_pod_table())
    raise typer.Exit(0 if report.is_good else 1)


def _look_again(layout: Layout) -> ClusterReport:
    try:
        time.sleep(_WATCH_SECONDS)
        return read_status(find_root(), layout)
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(0) from interrupt
