"""``cartwright images``: build the services' container images, and list what is built."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cartwright.kernel.atomic import put_folder
from cartwright.kernel.output import stderr, stdout, write
from cartwright.options.formats import TEXT, Format

if TYPE_CHECKING:
    from cartwright.images import Built

app = typer.Typer(no_args_is_help=True, help="Build the services' container images, and list what is built.")


@app.callback()
def _images() -> None:
    """Build the services' container images, and list what is built."""


@app.command()
def build(  # noqa: PLR0917 - a command's options
    services: Annotated[list[str] | None, typer.Argument(help="Services to build; all of them by default.")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            envvar="CARTWRIGHT_BASE",
            metavar="IMAGE",
            help="Image to build on, or 'debian' to make one of Debian's packages. By default the one pinned in "
            "services/Containerfile; where its registry can't be reached, 'debian'.",
        ),
    ] = None,
    release: Annotated[
        bool,
        typer.Option("--release", help="Tag the image with the plain version; refused for a work tree with changes."),
    ] = False,
    stand_ins: Annotated[
        bool,
        typer.Option("--stand-ins", help="Also build the stand-ins for images of others in the embedded cluster."),
    ] = False,
    push: Annotated[bool, typer.Option(help="Push to the embedded cluster's registry if it has a real node.")] = True,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Copy each image to FOLDER/<service>, an OCI layout.")
    ] = None,
    output_format: Format = TEXT,
) -> None:
    """Build images without a container engine and print their references, one a line.

    Built images are kept: unchanged sources are not built again, and `up` uses the same images.

    Examples: `cartwright images build`,
    `cartwright promote set orders --env dev --image $(cartwright images build orders) --embedded`.
    """
    from cartwright.images import stored_services
    from cartwright.images.store import stored_recipes

    root = _root()
    began = time.monotonic()
    images = stored_services(root, services or [], base=base, release=release, say=_say)
    if stand_ins:
        images |= stored_recipes(root, say=_say)
    pushed = _push(root, images) if push else {}
    if output is not None:
        for name, image in images.items():
            _copy(image.layout, output / name)
    _say(f"images: {len(images)} in {time.monotonic() - began:.1f} s")
    if output_format == "json":
        entries = [_entry(name, image, pushed=name in pushed) for name, image in images.items()]
        write(json.dumps({"version": 1, "images": entries}, indent=2))
        return
    write("\n".join(image.reference for image in images.values()))


@app.command("list")
def list_(output_format: Format = TEXT) -> None:
    """Print the images that are kept, of services and of Debian's packages, last used first."""
    from cartwright.images.store import stored_images

    images = list(stored_images())
    if output_format == "json":
        write(json.dumps({"version": 1, "images": [_entry(name, image) for name, image in images]}, indent=2))
        return
    from rich.table import Table

    table = Table("name", "MB", "revision", "image", box=None)
    table.columns[3].no_wrap = True
    for name, image in images:
        commit, dirty, _ = image.revision.partition("-")
        table.add_row(name, f"{image.size / 1e6:.0f}", commit[:12] + (" + changes" if dirty else ""), image.reference)
    stdout().print(table)


def _entry(name: str, image: Built, **more: Any) -> dict[str, Any]:
    return {
        "service": name,
        "image": image.reference,
        "name": image.name,
        "tag": image.tag,
        "digest": image.digest,
        "revision": image.revision,
        "size": image.size,
        **more,
    }


def _push(root: Path, images: Mapping[str, Built]) -> Mapping[str, str]:
    """Push to the registry of the embedded cluster, if it has a real node; what was pushed, by name."""
    from cartwright.cluster.node.lifecycle import REGISTRY
    from cartwright.cluster.state import Layout, State
    from cartwright.images.push import answers, push
    from cartwright.kernel.paths import state_dir

    state = State.load(Layout(state_dir(root)))
    if state is None or not state.real:
        return {}
    port = state.ports[REGISTRY]
    if not answers(port):
        _say("images: not pushed: the embedded cluster's registry does not answer; `cartwright up` starts it")
        return {}
    pushed = {name: push(image, port=port) for name, image in images.items()}
    _say(f"images: pushed to the embedded cluster's registry: {', '.join(pushed)}")
    return pushed


def _copy(layout: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as side:
        fresh = shutil.copytree(layout, Path(side) / "oci")
        put_folder(fresh, target)


def _say(line: str) -> None:
    stderr().print(line, markup=False)


def _root() -> Path:
    from cartwright.tree.repository import find_root

    return find_root()
