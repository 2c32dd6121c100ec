"""From the services' sources to images: base, context, build, digest.

Nothing needs a daemon: buildah builds in a folder of its own, with the `vfs` driver and chroot isolation, so this works
inside containers too. Times are those of the commit that last changed what goes into an image.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cartwright.errors import ToolError, UserError, nearest
from cartwright.images.base import ensure_base
from cartwright.images.buildah import Buildah, export, open_store
from cartwright.images.lock import locked_requirements
from cartwright.run import run

__all__ = ["REGISTRY", "SHARED", "Image", "build_images", "known_services"]

REGISTRY = "ghcr.io/example-org/cartwright"
SHARED = ("services/Containerfile", "services/kit/pyproject.toml", "services/kit/src", "requirements.lock")


@dataclass(frozen=True, kw_only=True)
class Image:
    """A built image."""

    service: str
    name: str
    """Without tag: registry and repository."""
    tag: str
    """The version in the service's pyproject.toml."""
    digest: str
    """Of the manifest, ``sha256:…``: what a registry will serve it as."""
    revision: str
    """The commit that last changed what is inside."""
    modified: bool
    """Whether the work tree differs from that commit, so that nobody else can build the same image."""
    size: int
    """Of the compressed layers and the configuration, in bytes."""


def known_services(root: Path) -> list[str]:
    """The services that have an image: every package under ``services/`` that can be run."""
    return sorted(path.parent.name for path in root.glob("services/*/src/*/__main__.py"))


def build_images(root: Path, services: Sequence[str], *, output: Path, base: str | None = None) -> list[Image]:
    """Build the images of these services into ``output``, one OCI layout for each, and return what was built.

    Args:
        root: the repository's work tree.
        services: names of folders under ``services/``; all of them if empty.
        output: folder that gets ``<service>/``, replaced if it is there.
        base: image to build on, as buildah names it (``docker.io/library/python@sha256:…``); by default one made of
            Debian packages, which needs root and the programs ``mmdebstrap`` and ``buildah``.

    Raises UserError for a service that does not exist and ToolError if a program is missing or fails.
    """
    known = known_services(root)
    for service in services:
        if service not in known:
            raise UserError(f"no service '{service}'", hint=nearest(service, known))
    buildah = open_store()
    chosen_base = base or ensure_base(buildah)
    output.mkdir(parents=True, exist_ok=True)
    try:
        return [
            _build(root, service, output=output, base=chosen_base, buildah=buildah) for service in services or known
        ]
    finally:
        buildah("rmi", "--prune", "--force")  # what failed or was replaced; the base stays for the next build


def _build(root: Path, service: str, *, output: Path, base: str, buildah: Buildah) -> Image:
    sources = [*SHARED, f"services/{service}/pyproject.toml", f"services/{service}/src"]
    revision, epoch = run(["git", "log", "-1", "--format=%H %ct", "--", *sources], cwd=root).stdout.split()
    modified = bool(run(["git", "status", "--porcelain", "--", *sources], cwd=root).stdout)
    project = tomllib.loads((root / "services" / service / "pyproject.toml").read_text())["project"]
    tag = str(project["version"])
    name = f"{REGISTRY}/{service}"
    with tempfile.TemporaryDirectory(prefix="cartwright-image-") as folder:
        context = Path(folder)
        _install(root, service, site=context / "site", epoch=epoch)
        shutil.copy(root / "services" / "Containerfile", context / "Containerfile")
        arguments = {"BASE": base, "SERVICE": service, "VERSION": tag, "REVISION": revision}
        buildah(
            "bud",
            *(word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")),
            *("--isolation", "chroot", "--timestamp", epoch, "--layers=false", "--pull-never"),
            *("--tag", f"{name}:{tag}", "--file", context / "Containerfile", context),
        )
        built = export(buildah, name=name, tag=tag, output=output / service)
    return Image(
        service=service,
        name=name,
        tag=tag,
        digest=built.digest,
        revision=revision,
        modified=modified,
        size=built.size,
    )


def _install(root: Path, service: str, *, site: Path, epoch: str) -> None:
    """Fill ``site`` with the service, the kit and what they need, as an image of Debian 12 on amd64 wants it."""
    uv = find_uv()
    requirements, wheels = site.parent / "requirements.txt", site.parent / "wheels"
    requirements.write_text(locked_requirements(root, service, uv=uv))
    common: list[str | Path] = [
        *(uv, "pip", "install", "--quiet", "--no-deps", "--no-compile-bytecode", "--link-mode", "copy"),
        *("--target", site, "--python", sys.executable),
        *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36", "--only-binary", ":all:"),
    ]
    run([*common, "--require-hashes", "--requirements", requirements], timeout=900)
    packages = [f"cartwright-{service}", "cartwright-kit"]
    for package in ("kit", service):
        run(
            [
                *(uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable),
                *("--out-dir", wheels, root / "services" / package),
            ],
            env={"SOURCE_DATE_EPOCH": epoch},
        )
    # From a wheel by name, not from the folder: an installed folder remembers the path of this machine.
    run([*common, "--no-index", "--find-links", wheels, *packages])
    for leftover in (*site.glob("*.lock"), site / ".lock"):
        leftover.unlink(missing_ok=True)
    for note in site.glob("*.dist-info/uv_cache.json"):  # when uv saw the wheel, which differs from build to build
        note.unlink()
        record = note.with_name("RECORD")
        kept = [line for line in record.read_text().splitlines(keepends=True) if "/uv_cache.json," not in line]
        record.write_text("".join(kept))
    shutil.rmtree(site / "bin", ignore_errors=True)  # scripts of dependencies that start with this machine's Python


def find_uv() -> Path:
    """uv, from this Python's own environment or PATH. Raises ToolError."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise ToolError("uv: not found; `make setup` installs it")
    return Path(found)
