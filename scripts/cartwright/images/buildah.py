"""buildah without a daemon: a store of its own and chroot isolation; works in containers too."""

from __future__ import annotations

import contextlib
import fcntl
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.atomic import put_folder
from cartwright.kernel.errors import ToolError
from cartwright.kernel.paths import cache_root
from cartwright.kernel.run import run
from cartwright.registry.reference import Reference
from cartwright.tools.packages import require_programs

__all__ = ["Buildah", "Built", "export", "open_store"]

_LIMIT = 3 * 2**30
"""Bytes on disk from which the store gives up its layers."""


@dataclass(frozen=True, kw_only=True)
class Built(Reference):
    """An image as an OCI layout on disk; its digest is that of the manifest, which a registry will serve it as."""

    size: int
    """Of the compressed layers and the configuration, in bytes."""
    layout: Path
    """Folder of the OCI layout."""
    revision: str = ""
    """The commit that last changed what is inside, ``-dirty`` after it where the work tree differs; empty where the
    image is not made of this repository's sources."""

    @property
    def reference(self) -> str:
        """What overlays and ``promote set`` call it: ``name:tag@digest``."""
        return str(self)


@dataclass(frozen=True)
class Buildah:
    """buildah over a store of its own, so that it meets no other's images."""

    store: Path
    driver: str
    """Of containers/storage: ``overlay``, or ``vfs`` where the kernel or the file system below has no overlays."""

    def __call__(self, *args: str | Path, timeout: float = 900) -> str:
        """Run one command and return what it printed. Raises ToolError."""
        words = [*_place(self.store), "--storage-driver", self.driver, *args]
        return run(["buildah", *words], timeout=timeout, env={"BUILDAH_ISOLATION": "chroot"}).stdout.strip()

    def identity(self, image: str) -> str | None:
        """The hash of an image's configuration, which names all that is in it; None where there is no such image."""
        try:
            return self("inspect", "--type", "image", "--format", "{{.FromImageID}}", image) or None
        except ToolError:
            return None

    @contextlib.contextmanager
    def exclusive(self, say: Callable[[str], None]) -> Iterator[None]:
        """Keep other builds out; the lock ends with the process. What a killed build left is cleared away first."""
        with (self.store / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("images: waiting for another build to end …")
                fcntl.flock(file, fcntl.LOCK_EX)
            self("rm", "--all")
            yield

    def trim(self, *, keep: Sequence[str]) -> None:
        """Give up every image but those named, if the store has grown large: the next build makes its layers again."""
        total = sum(file.lstat().st_blocks * 512 for file in (self.store / "root").rglob("*") if not file.is_dir())
        if total < _LIMIT:
            return
        for image in json.loads(self("images", "--json") or "[]") or []:
            for name in image.get("names") or []:
                if name not in keep:
                    self("rmi", "--force", name)
        self("rmi", "--prune", "--force")


def open_store() -> Buildah:
    """The store below the cache folder.

    Raises:
        ToolError: buildah or skopeo is missing.
    """
    require_programs("buildah", "skopeo")
    store = cache_root() / "buildah"
    store.mkdir(parents=True, exist_ok=True)
    chosen = store / "driver"
    if not chosen.is_file():
        chosen.write_text(_driver() + "\n", encoding="utf-8")
    return Buildah(store, chosen.read_text(encoding="utf-8").strip())


def export(buildah: Buildah, *, name: str, tag: str, output: Path, revision: str = "") -> Built:
    """Write an image of the store to an OCI layout at ``output``, which is replaced.

    Args:
        buildah: the store.
        name: the image's registry and repository.
        tag: its tag.
        output: folder of the layout.
        revision: see :class:`Built`.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".image-", dir=output.parent) as side:
        layout = Path(side) / "oci"
        buildah("push", "--quiet", f"{name}:{tag}", f"oci:{layout}:{tag}")
        digest, size = _measure(layout)
        put_folder(layout, output)
    return Built(name=name, tag=tag, digest=digest, size=size, layout=output, revision=revision)


def _measure(layout: Path) -> tuple[str, int]:
    """Digest and size of the one image of an OCI layout."""
    [entry] = json.loads((layout / "index.json").read_text())["manifests"]
    digest = str(entry["digest"])
    algorithm, _, value = digest.partition(":")
    manifest = json.loads((layout / "blobs" / algorithm / value).read_text())
    return digest, manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])


def _place(store: Path) -> list[str | Path]:
    return ["--root", store / "root", "--runroot", store / "run"]


def _driver() -> str:
    """overlay where it works: with vfs each layer is a whole copy of those below."""
    with tempfile.TemporaryDirectory(prefix=".probe-", dir=cache_root()) as side:
        try:
            run(["buildah", *_place(Path(side)), "--storage-driver", "overlay", "info"], timeout=60)
        except ToolError:
            return "vfs"
    return "overlay"
