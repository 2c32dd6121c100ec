"""``cartwright check``: render, validate and judge every environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.output import write
from cartwright.tree.repository import find_root, open_tree

__all__ = ["check"]

_LEVELS = ("privileged", "baseline", "restricted")


def check(  # noqa: PLR0917 - a command's options
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="With --manifests: YAML files and folders.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="ENV", help="Check only this environment (repeatable).")
    ] = None,
    app: Annotated[
        list[str] | None, typer.Option("--app", metavar="APP", help="Report findings about this app only (repeatable).")
    ] = None,
    manifests: Annotated[
        bool,
        typer.Option("--manifests", help="Check YAML files, and folders with their kustomizations rendered, instead."),
    ] = False,
    isolate: Annotated[bool, typer.Option("--isolate", help="With --manifests: check each file on its own.")] = False,
    pss: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="With --manifests: check pods as if in a namespace of this level."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --manifests: refuse folders with files that are not manifests.")
    ] = False,
    ref: Annotated[str | None, typer.Option(metavar="REF", help="Check this Git ref, not the work tree.")] = None,
    output: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, json, sarif, junit or github.")
    ] = "text",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Ignore the caches: render and check everything again.")
    ] = False,
) -> None:
    """Render, validate and check every environment; each finding names the source line that caused it.

    Covers schemas (Kubernetes and CRDs), policies, yamllint, overlays that no ApplicationSet reaches, objects that two
    Applications own, and entries that change nothing.

    Examples: `cartwright check`, `cartwright check --env prod --format sarif`, `cartwright check --manifests deploy/`.

    Exit codes: 0 nothing blocks, 1 findings of severity error, 2 input that can't be read.
    """
    from cartwright.check.report import RENDERERS

    if output not in RENDERERS:
        raise UserError(f"no format '{output}'", hint=nearest(output, RENDERERS))
    if pss is not None and pss not in _LEVELS:
        raise UserError(f"no Pod Security level '{pss}'", hint=nearest(pss, _LEVELS))
    if (isolate or pss or paths or strict) and not manifests:
        raise UserError("paths, --isolate, --pss and --strict need --manifests")
    if manifests and not paths:
        raise UserError("--manifests needs files or folders to judge")
    tree = open_tree(find_root(), ref)
    if paths:
        from cartwright.check.manifests import check_manifests

        report = check_manifests(tree, paths, isolate=isolate, pss=pss, strict=strict)
    else:
        from cartwright.check.cached import check as run_check

        report = run_check(tree, environments=env or (), apps=app or (), use_cache=not no_cache)
    write(RENDERERS[output](report))
    if report.errors:
        raise typer.Exit(1)
