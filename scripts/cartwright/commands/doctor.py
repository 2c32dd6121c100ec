"""``cartwright doctor``: what this machine has and lacks."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer

from cartwright.cluster.doctor import examine
from cartwright.kernel.output import stdout, write
from cartwright.options.formats import known
from cartwright.tree.repository import find_root

__all__ = ["doctor"]

_NEEDED = frozenset({"check", "cluster", "services"})
"""Tiers that `make up` and `make test` are not whole without."""
_ORDER = ("check", "cluster", "services", "images", "node", "browser")


def doctor(
    output: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text or json.", callback=known)] = "text",
) -> None:
    """Show what this machine has and lacks, and what to install, tier by tier.

    Exit codes: 0 `make up` and `make test` can run completely, 1 something for them is missing.
    """
    found = sorted(examine(find_root() / "tools"), key=lambda one: _ORDER.index(one.tier))
    if output == "json":
        write(json.dumps({"version": 1, "needs": [asdict(one) for one in found]}, indent=2))
    else:
        from rich.table import Table

        table = Table("tier", "need", "", box=None)
        table.add_column("where, or what to do", overflow="fold")
        for tier, needs in groupby(found, key=lambda one: one.tier):
            for number, one in enumerate(needs):
                mark = "[green]yes[/]" if one.present else "[red]no[/]"
                table.add_row("" if number else tier, one.need, mark, one.detail)
        stdout().print(table)
    if any(not one.present and one.tier in _NEEDED for one in found):
        raise typer.Exit(1)
