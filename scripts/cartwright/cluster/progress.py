"""How ``up`` shows what happens: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cartwright.cluster.argocd import ROOT_NAME
from cartwright.cluster.memory import resident
from cartwright.cluster.node.door import door_url
from cartwright.cluster.state import Layout
from cartwright.cluster.up import Outcome
from cartwright.cluster.wait import Snapshot

__all__ = ["Progress", "age", "coloured", "progress_table", "summary"]

_COLOURS = {
    "Synced": "green",
    "Healthy": "green",
    "OutOfSync": "yellow",
    "Progressing": "yellow",
    "Suspended": "yellow",
    "Degraded": "red",
    "Missing": "red",
}


class Progress:
    """Shows stages and snapshots on a console while ``up`` works."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._last: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print one line, with the seconds since the start."""
        self._console.print(f"{time.monotonic() - self._began:5.0f} s  {line}", markup=False)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot: all of it on a terminal, what has changed elsewhere."""
        if self._live:
            self._live.update(progress_table(snapshot), refresh=True)
            return
        for name in snapshot.names:
            status = snapshot.statuses.get(name)
            words = f"{status.sync} {status.health}" if status else "waiting"
            if self._last.get(name) != words:
                self._last[name] = words
                self.say(f"{name:<32} {words}")


def progress_table(snapshot: Snapshot) -> Table:
    """One row per app, one column per environment: sync, health, age."""
    environments = list(dict.fromkeys(application.environment for application in snapshot.expected))
    table = Table("app", *environments, box=None, title=_headline(snapshot), title_justify="left")
    cells: dict[str, dict[str, Text]] = {}
    for application in snapshot.expected:
        label = application.app if "/" in application.app else "cluster"
        cells.setdefault(label, {})[application.environment] = _cell(snapshot, application.name)
    for label, row in cells.items():
        table.add_row(label, *(row.get(environment, Text("–")) for environment in environments))
    table.add_row("Argo CD root", _cell(snapshot, ROOT_NAME))
    return table


def summary(outcome: Outcome, layout: Layout) -> Text:
    """What a person wants to know at the end of ``up``."""
    snapshot = outcome.snapshot
    text = Text()
    for name in snapshot.unfinished:
        text.append(f"{name}: ", style="red")
        text.append(f"{snapshot.reason(name)}\n")
    done = len(snapshot.names) - len(snapshot.unfinished)
    text.append(
        f"{done} of {len(snapshot.names)} Applications Synced and Healthy at {snapshot.commit[:7]} "
        f"in {', '.join(outcome.state.environments)}\n",
        style="red" if snapshot.unfinished else "green",
    )
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in outcome.stages.items())
    text.append(f"{sum(outcome.stages.values()):.0f} s: {stages}; {resident(layout) / 2**30:.1f} GiB of memory\n")
    if outcome.state.real:
        text.append(f"shop: {door_url(outcome.state)}\n")
    text.append(f"git remote: {layout.remote.as_uri()}\n")
    for environment in outcome.state.environments:
        text.append(f"{environment}: export KUBECONFIG={layout.kubeconfig(environment)}\n")
    text.right_crop(1)
    return text


def coloured(word: str) -> Text:
    """A sync or health word in its colour."""
    return Text(word, style=_COLOURS.get(word, ""))


def age(seconds: float) -> str:
    """A span of time in its largest fitting unit, as kubectl writes it.

    >>> age(59), age(600), age(90000)
    ('59s', '10m', '25h')
    """
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"


def _headline(snapshot: Snapshot) -> str:
    done = len(snapshot.names) - len(snapshot.unfinished)
    return f"{done} of {len(snapshot.names)} Synced and Healthy at {snapshot.commit[:7]}, {snapshot.seconds:.0f} s"


def _cell(snapshot: Snapshot, name: str) -> Text:
    status = snapshot.statuses.get(name)
    if status is None:
        return Text("waiting", style="dim")
    return Text.assemble(coloured(status.sync), " ", coloured(status.health), f" {age(status.age_seconds)}")
