"""``cartwright images``: build the services' container images."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cartwright.errors import UserError
from cartwright.output import stdout, write

app = typer.Typer(no_args_is_help=True, help="Build the services' container images.")


@app.callback()
def _images() -> None:
    """Build the services' container images."""


@app.command()
def build(
    services: Annotated[list[str] | None, typer.Argument(help="Services to build; all of them by default.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Image to build on; by default one made from Debian's packages.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the images, as OCI layouts.")] = Path("dist/images"),
    output_format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Build images without a container engine and print their digests.

    Examples: `cartwright images build`, `cartwright images build catalog --format json`.
    """
    from cartwright.images import build_images

    if output_format not in ("text", "json"):
        raise UserError(f"no format '{output_format}'", hint="text or json")
    images = build_images(_root(), services or [], output=output, base=base)
    if output_format == "json":
        write(json.dumps({"version": 1, "images": [asdict(image) for image in images]}, indent=2))
        return
    from rich.table import Table

    table = Table("service", "tag", "digest", "MB", "commit", box=None)
    for image in images:
        commit = image.revision[:12] + (" + changes" if image.modified else "")
        table.add_row(image.service, image.tag, image.digest, f"{image.size / 1e6:.0f}", commit)
    stdout().print(table)


def _root() -> Path:
    from cartwright.run import run

    return Path(run(["git", "rev-parse", "--show-toplevel"]).stdout.strip())
