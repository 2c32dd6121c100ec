"""``cartwright tools``: build the pinned tools, share them through a registry, or list them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.output import stdout, write
from cartwright.options.formats import TEXT, Format
from cartwright.tools import Tool, asset, load_catalogue, locate, python_tools, require, require_python

app = typer.Typer(no_args_is_help=True, help="Build, share and list the pinned tools.")
_TIER = "Only the tools of this tier: check, cluster, node or test."


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Tools to build; all of them by default.")] = None,
    tier: Annotated[str | None, typer.Option(help=_TIER)] = None,
) -> None:
    """Build what is missing into the cache and print where each tool is.

    If CARTWRIGHT_TOOLS names a registry, tools that it has are pulled instead of built.

    Examples: `cartwright tools build`, `cartwright tools build --tier check`, `cartwright tools build kustomize`.
    """
    in_python = python_tools()
    chosen = _choose(names, tier)
    catalogue = load_catalogue()
    _write(require(name for name in chosen if name not in in_python))
    for tool in (catalogue[name] for name in chosen if name not in in_python):
        for path in tool.assets:
            asset(tool.name, path)
    # The tests alone ask for tools in Python.
    for name in in_python if not names and tier in (None, "test") else chosen:
        if name in in_python:
            write(f"{name} locked {require_python(name)}")


@app.command()
def push(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="Repository in a registry: HOST/PATH or HOST/PATH:TAG.")
    ],
    names: Annotated[list[str] | None, typer.Argument(help="Tools to push; all of them by default.")] = None,
    tier: Annotated[str | None, typer.Option(help=_TIER)] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Send them even if the registry has them.")] = False,
) -> None:
    """Store built tools in a registry and print the reference that pins them, HOST/PATH@sha256:….

    Tools that the registry has are not sent again. Credentials are those of docker and podman.

    Examples: `cartwright tools push registry.example.com/shop/tools`, `cartwright tools push REF kustomize`.

    Exit codes: 0 stored, 1 the registry does not answer or accept them, 2 a tool is not built, or access is refused.
    """
    from cartwright.tools import sharing

    chosen, others = _shareable(names, tier)
    elsewhere = {tool.name: path for tool in chosen if not tool.binary.is_file() and (path := locate(tool))}
    if elsewhere:
        places = ", ".join(f"{name} ({path})" for name, path in elsewhere.items())
        sys.stderr.write(f"tools: left out, as they were not built here: {places}\n")
    parts = [
        *sharing.binary_parts(tool for tool in chosen if tool.name not in elsewhere),
        *sharing.asset_parts(chosen),
        *(part for part in sharing.asset_parts(others) if part.is_here),
    ]
    write(sharing.push(sharing.tools_reference(reference), parts, replace=replace))


@app.command()
def pull(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="Reference that was pushed to: HOST/PATH, HOST/PATH:TAG or HOST/PATH@sha256:…."
        ),
    ],
    names: Annotated[list[str] | None, typer.Argument(help="Tools to pull; all of them by default.")] = None,
    tier: Annotated[str | None, typer.Option(help=_TIER)] = None,
) -> None:
    """Pull missing tools from a registry into the cache and print where each one is.

    Examples: `cartwright tools pull registry.example.com/shop/tools --tier check`.

    Exit codes: 0 all are there, 1 the registry lacks some or does not answer, 2 content is wrong, or access is refused.
    """
    from cartwright.tools import sharing

    chosen, others = _shareable(names, tier)
    parts = [*sharing.binary_parts(tool for tool in chosen if not locate(tool)), *sharing.asset_parts(chosen)]
    sharing.pull(sharing.tools_reference(reference), parts, optional=sharing.asset_parts(others))
    _write(require(tool.name for tool in chosen))


@app.command("list")
def list_tools(
    output: Format = TEXT,
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


def _choose(names: list[str] | None, tier: str | None) -> list[str]:
    """The named tools, else the Go tools of a tier, else all of them."""
    catalogue = load_catalogue()
    tiers = sorted({one for tool in catalogue.values() for one in tool.tiers})
    if tier is not None and tier not in tiers:
        raise UserError(f"no tier '{tier}'", hint=nearest(tier, tiers))
    return names or [
        tool.name for tool in catalogue.values() if tier is None or (tier in tool.tiers and _serves(tool, tier))
    ]


def _serves(tool: Tool, tier: str) -> bool:
    """Whether a tier's user has use for a tool here: the tests of a real node need Linux and root."""
    return not (tier == "test" and "node" in tool.tiers) or (sys.platform == "linux" and os.geteuid() == 0)


def _shareable(names: list[str] | None, tier: str | None) -> tuple[list[Tool], list[Tool]]:
    """The chosen tools; and those whose assets go along: `cartwright check` reads assets of tools it doesn't run."""
    catalogue = load_catalogue()
    chosen = _choose(names, tier)
    for name in chosen:
        if name in python_tools():
            raise UserError(f"{name} is installed from tools/{name}/requirements.lock and not shared")
        if name not in catalogue:
            raise UserError(f"no tool '{name}'", hint=nearest(name, catalogue))
    others = [] if names else [tool for tool in catalogue.values() if tool.name not in chosen]
    return [tool for tool in catalogue.values() if tool.name in chosen], others


def _write(found: Mapping[str, Path]) -> None:
    for name, path in found.items():
        write(f"{name} {load_catalogue()[name].version} {path}")
