"""Images made of Debian's packages, where upstream's can't be pulled.

Each does what the manifests ask of the image that it stands in for, under that image's name, with a tag that says so
and a digest of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cartwright.images.buildah import Buildah, Built, export
from cartwright.images.mmdebstrap import EPOCH, SUITE, make_root
from cartwright.images.recipes import Recipe
from cartwright.kernel.errors import ToolError
from cartwright.tree.names import Names

__all__ = ["build_debian"]


def build_debian(recipe: Recipe, *, names: Names, output: Path, buildah: Buildah) -> Built:
    """Build one image into an OCI layout.

    Args:
        recipe: what it is made of.
        names: the repository's names: its registry begins the name of an image that stands in for no other.
        output: folder of the layout; replaced if it is there.
        buildah: the store to build in.

    Raises:
        ToolError: without root, or mmdebstrap or buildah is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="cartwright-image-") as side:
        archive, listing = Path(side) / "root.tar", Path(side) / "versions"
        _make_root(recipe, archive, listing)
        version = _version(recipe, listing)
        content = Path(side) / "content"
        content.mkdir()
        container = buildah("from", "scratch")
        try:
            if recipe.bare:
                _unpack(recipe, archive, content)
                buildah("add", "--quiet", container, content, "/")
            else:
                buildah("add", "--quiet", container, archive, "/")
                for name, target in recipe.files.items():
                    copy = content / name
                    shutil.copy(recipe.folder / name, copy)
                    copy.chmod(0o755)
                    buildah("add", "--quiet", "--chmod", "755", container, copy, target)
            name = recipe.stands_in_for or f"{names.registry}/{recipe.repository}"
            buildah("config", *_configuration(recipe, version, source=names.repository), container)
            buildah("commit", "--quiet", "--timestamp", str(EPOCH), container, f"{name}:{version}")
        finally:
            buildah("rm", container)
        built = export(buildah, name=name, tag=version, output=output)
        buildah("rmi", f"{name}:{version}")  # unpacked it would fill the cache; the layout has all of it
        return built


def _make_root(recipe: Recipe, archive: Path, listing: Path) -> None:
    why = f"making the image {recipe.name} of Debian's packages"
    if recipe.bare:
        make_root(archive, recipe.packages, why=why, unpacked=True)
        return
    hooks = [
        *(f'rm -rf "$1{path}"' for path in recipe.remove),
        *(_account_hook(name, account) for name, account in recipe.accounts.items()),
        f"chroot \"$1\" dpkg-query -W -f '${{Package}} ${{Version}}\\n' > {listing}",
    ]
    make_root(archive, recipe.packages, why=why, hooks=hooks)


def _account_hook(name: str, account: Mapping[str, Any]) -> str:
    """Replace what the package made under that name, whose number differs from build to build."""
    number, home = int(account["id"]), str(account["home"])
    passwd, group = f"{name}:x:{number}:{number}::{home}:/bin/sh", f"{name}:x:{number}:"
    return (
        f'sed -i "/^{name}:/d" "$1/etc/passwd" "$1/etc/group" && '
        f'echo {passwd} >> "$1/etc/passwd" && echo {group} >> "$1/etc/group"'
    )


def _version(recipe: Recipe, listing: Path) -> str:
    """The package's version as a tag: ``5:7.0.15-1~deb12u10`` is 7.0.15-debian12."""
    if recipe.tag:
        return recipe.tag
    found = dict(line.split() for line in listing.read_text(encoding="utf-8").splitlines())[recipe.version_of]
    number = re.match(r"(?:\d+:)?([0-9.]+)", found)
    if number is None:
        raise ToolError(f"{recipe.version_of}: no number in the version {found}")
    return f"{number[1]}-debian12"


def _unpack(recipe: Recipe, archive: Path, content: Path) -> None:
    """Only what is kept, with its links."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.name in recipe.keep:
                tar.extract(member, content, filter="tar")
    first = content / recipe.keep[0]
    for link in recipe.links:
        (first.parent / link).symlink_to(first.name)


def _configuration(recipe: Recipe, version: str, *, source: str) -> list[str]:
    labels: Sequence[tuple[str, str]] = [
        ("title", recipe.repository),
        ("version", version),
        ("description", f"{', '.join(recipe.packages)} of Debian 12"),
        ("source", source),
    ]
    return [
        *(word for key, value in labels for word in ("--label", f"org.opencontainers.image.{key}={value}")),
        *(word for key, value in recipe.environment.items() for word in ("--env", f"{key}={value}")),
        *("--user", recipe.user),
        *("--entrypoint", json.dumps(list(recipe.entrypoint)), "--cmd", json.dumps(list(recipe.command))),
        *("--stop-signal", recipe.stop_signal),
        *("--created-by", f"mmdebstrap {SUITE}: {', '.join(recipe.packages)}"),
    ]
