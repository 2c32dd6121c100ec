"""``cartwright tools``: build the pinned tools, or list them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cartwright.errors import UserError, nearest
from cartwright.output import stdout, write
from cartwright.tools import load_catalogue, locate, python_tools, require, require_python

app = typer.Typer(no_args_is_help=True, help="Build and list the pinned tools.")


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Tools to build; all of them by default.")] = None,
    tier: Annotated[str | None, typer.Option(help="Only the tools of this tier: check, cluster, node or test.")] = None,
) -> None:
    """Build what is missing into the cache and print where each tool is.

    Examples: `cartwright tools build`, `cartwright tools build --tier check`, `cartwright tools build kustomize`.
    """
    catalogue = load_catalogue()
    tiers = sorted({one for tool in catalogue.values() for one in tool.tiers})
    if tier is not None and tier not in tiers:
        raise UserError(f"no tier '{tier}'", hint=nearest(tier, tiers))
    chosen = names or [tool.name for tool in catalogue.values() if tier is None or tier in tool.tiers]
    for name, path in require([name for name in chosen if name not in python_tools()]).items():
        write(f"{name} {catalogue[name].version} {path}")
    # The tests alone ask for tools in Python.
    for name in python_tools() if not names and tier in (None, "test") else chosen:
        if name in python_tools():
            write(f"{name} locked {require_python(name)}")


@app.command("list")
def list_tools(
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """List the pinned tools: version, who needs it, and where it is."""
    rows = [
        {
            "name": tool.name,
            "version": tool.version,
            "needed_by": ", ".join(tool.tiers),
            "path": str(path) if path else None,
        }
        for tool in load_catalogue().values()
        for path in [locate(tool)]
    ]
    if output == "json":
        write(json.dumps({"version": 1, "tools": rows}, indent=2))
        return
    from rich.table import Table

    table = Table("tool", "version", "needed by", "where", box=None)
    for row in rows:
        table.add_row(row["name"], row["version"], row["needed_by"], row["path"] or "not built")
    stdout().print(table)
