"""buildah without a daemon: a store of its own, the `vfs` driver and chroot isolation; works in containers too."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cartwright.paths import cache_root
from cartwright.run import run

__all__ = ["Buildah", "Built", "export", "open_store"]


@dataclass(frozen=True)
class Built:
    """An image as an OCI layout on disk."""

    name: str
    """Registry and repository, without tag."""
    tag: str
    digest: str
    """Of the manifest, ``sha256:…``: what a registry will serve it as."""
    size: int
    """Of the compressed layers and the configuration, in bytes."""
    layout: Path
    """Folder of the OCI layout."""


@dataclass(frozen=True)
class Buildah:
    """buildah over a store of its own, so that it meets no other's images."""

    store: Path

    def __call__(self, *args: str | Path, timeout: float = 900) -> str:
        """Run one command and return what it printed. Raises ToolError."""
        words = ["--root", self.store / "root", "--runroot", self.store / "run", "--storage-driver", "vfs", *args]
        return run(["buildah", *words], timeout=timeout, env={"BUILDAH_ISOLATION": "chroot"}).stdout.strip()


def open_store() -> Buildah:
    """The store below the cache folder."""
    store = cache_root() / "images"
    store.mkdir(parents=True, exist_ok=True)
    return Buildah(store)


def export(buildah: Buildah, *, name: str, tag: str, output: Path) -> Built:
    """Write an image of the store to an OCI layout at ``output``, which is replaced, and drop it from the store.

    Unpacked it would fill the cache; the layout has all of it.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".image-", dir=output.parent) as side:
        layout = Path(side) / "oci"
        buildah("push", "--quiet", f"{name}:{tag}", f"oci:{layout}:{tag}")
        buildah("rmi", f"{name}:{tag}")
        digest, size = _measure(layout)
        shutil.rmtree(output, ignore_errors=True)
        layout.rename(output)
    return Built(name=name, tag=tag, digest=digest, size=size, layout=output)


def _measure(layout: Path) -> tuple[str, int]:
    """Digest and size of the one image of an OCI layout."""
    [entry] = json.loads((layout / "index.json").read_text())["manifests"]
    digest = str(entry["digest"])
    algorithm, _, value = digest.partition(":")
    manifest = json.loads((layout / "blobs" / algorithm / value).read_text())
    return digest, manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
