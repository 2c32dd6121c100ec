"""From a service's sources to its image: context, build, OCI layout.

Nothing needs a daemon. Equal content makes equal layers, whenever and wherever it is built: files have one fixed time
and plain permissions, dependencies come from the lock by their hashes, and modules are compiled without time stamps.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cartwright.images.base import CONTAINERFILE, Base
from cartwright.images.buildah import Buildah, Built, export
from cartwright.images.inputs import KIT, Source, files
from cartwright.images.lock import PYTHON, locked_requirements, python_platform
from cartwright.images.mmdebstrap import EPOCH
from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree

__all__ = ["build_service", "find_uv"]


def build_service(root: Path, source: Source, *, base: Base, buildah: Buildah, output: Path) -> Built:
    """Build one image into an OCI layout.

    Args:
        root: the repository's work tree.
        source: what is built.
        base: what it stands on.
        buildah: the store to build in, where layers of earlier builds are found again.
        output: folder of the layout; replaced if it is there. What the build needs meanwhile lies beside it.

    Raises:
        UserError: requirements.lock lacks something.
        ToolError: a program is missing or fails.
    """
    created = datetime.fromtimestamp(source.epoch, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = read_names(open_tree(root))
    labels = {"source": names.repository, "version": source.tag, "revision": source.revision, "created": created}
    variables = {"SERVICE_VERSION": source.tag, "SERVICE_REVISION": source.revision}
    name = f"{names.registry}/{source.service}"
    side = output.parent
    foundation = _foundation(root, source.service, base=base, buildah=buildah, side=side)
    with tempfile.TemporaryDirectory(prefix="context-", dir=side) as folder:
        context = Path(folder)
        _install_own(root, source.service, context / "service")
        _build(
            buildah,
            root,
            context,
            *(word for key, value in labels.items() for word in ("--label", f"org.opencontainers.image.{key}={value}")),
            *(word for key, value in variables.items() for word in ("--env", f"{key}={value}")),
            *("--build-arg", f"SERVICE={source.service}", "--build-arg", f"FOUNDATION={foundation}"),
            *("--build-arg", f"BASE={base.reference}", "--tag", f"{name}:{source.tag}"),
        )
    return export(buildah, name=name, tag=source.tag, output=output, revision=source.revision)


def _foundation(root: Path, service: str, *, base: Base, buildah: Buildah, side: Path) -> str:
    """The image below the service's own layer: base, libraries and kit. Services of the same libraries share it."""
    uv = find_uv()
    requirements = locked_requirements(root, service, uv=uv)
    total = hashlib.sha256(f"{base.identity}\n{requirements}\n".encode())
    for file in (root / CONTAINERFILE, Path(__file__), *(root / name for name in files(root, KIT))):
        total.update(hashlib.sha256(file.read_bytes()).digest() + hashlib.sha256(file.name.encode()).digest())
    name = f"localhost/cartwright-foundation:{total.hexdigest()[:12]}"
    if buildah.identity(name) is not None:
        return name
    with tempfile.TemporaryDirectory(prefix="context-", dir=side) as folder:
        context = Path(folder)
        listed = context / "requirements.txt"
        listed.write_text(requirements, encoding="utf-8")
        _install(uv, context / "libraries", "--require-hashes", "--requirements", listed)
        _install_own(root, "kit", context / "kit")
        _build(buildah, root, context, "--target", "foundation", "--build-arg", f"BASE={base.reference}", "--tag", name)
    return name


def _build(buildah: Buildah, root: Path, context: Path, *words: str) -> None:
    options = ("--quiet", "--layers", "--isolation", "chroot", "--timestamp", str(EPOCH), "--pull-never")
    buildah("bud", *options, *words, "--file", root / CONTAINERFILE, context)


def _install_own(root: Path, package: str, target: Path) -> None:
    """Install a package of this repository, from a wheel: an installed folder would remember this machine's path."""
    uv = find_uv()
    with tempfile.TemporaryDirectory(prefix="cartwright-wheel-") as wheels:
        run(
            [
                *(uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable),
                *("--out-dir", wheels, root / "services" / package),
            ],
            env={"SOURCE_DATE_EPOCH": str(EPOCH)},
        )
        _install(uv, target, "--no-index", "--find-links", wheels, f"cartwright-{package}")


def _install(uv: Path, target: Path, *words: str | Path) -> None:
    """Install into a folder as an image of glibc 2.36 wants it, without what differs from machine to machine."""
    run(
        [
            *(uv, "pip", "install", "--quiet", "--no-deps", "--no-compile-bytecode", "--link-mode", "copy"),
            *("--target", target, "--python", sys.executable, "--only-binary", ":all:"),
            *("--python-version", PYTHON, "--python-platform", python_platform(platform.machine()), *words),
        ],
        timeout=900,
    )
    (target / ".lock").unlink(missing_ok=True)
    for note in target.glob("*.dist-info/uv_cache.json"):  # when uv saw the wheel, which differs from build to build
        note.unlink()
        record = note.with_name("RECORD")
        kept = [line for line in record.read_text().splitlines(keepends=True) if "/uv_cache.json," not in line]
        record.write_text("".join(kept))
    shutil.rmtree(target / "bin", ignore_errors=True)  # scripts of dependencies that start with this machine's Python
    target.chmod(0o755)
    for path in target.rglob("*"):  # this process's umask is nothing of the image's
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def find_uv() -> Path:
    """uv, from this Python's own environment or PATH. Raises ToolError."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise ToolError("uv: not found; `make setup` installs it")
    return Path(found)
