"""A registry of the demo's own: Debian's docker-registry on the loopback address, with images of a few bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import tenacity

from cartwright.images.push import configuration
from cartwright.kernel.errors import ToolError
from cartwright.kernel.ports import LOOPBACK, allocate
from cartwright.tools.packages import require_programs

__all__ = ["Registry", "serve"]

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    """``127.0.0.1:port``, which clients speak plain HTTP to."""

    def image(self, name: str) -> str:
        """The repository of an image, as references and overlays call it."""
        return f"{self.host}/shop/{name}"

    def push(self, name: str, tag: str, *, content: str) -> str:
        """Push an image for linux/amd64 whose one layer is this text; returns its digest."""
        with self._client(name) as client:
            layer = _blob(client, content.encode())
            config = {
                "os": "linux",
                "architecture": "amd64",
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            }
            manifest = {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": {"mediaType": _CONFIG, **_blob(client, json.dumps(config).encode())},
                "layers": [{"mediaType": _LAYER, **layer}],
            }
            return _put(client, tag, json.dumps(manifest).encode())

    def tag(self, name: str, digest: str, tag: str) -> None:
        """Let a tag lead to an image that is there."""
        with self._client(name) as client:
            found = client.get(f"/manifests/{digest}", headers={"Accept": _MANIFEST}).raise_for_status()
            _put(client, tag, found.content)

    def _client(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=f"http://{self.host}/v2/shop/{name}", trust_env=False)


def _blob(client: httpx.Client, content: bytes) -> dict[str, object]:
    place = client.post("/blobs/uploads/").raise_for_status().headers["Location"]
    digest = _digest(content)
    url = httpx.URL(place).copy_merge_params({"digest": digest})
    client.put(url, content=content, headers={"Content-Type": "application/octet-stream"}).raise_for_status()
    return {"digest": digest, "size": len(content)}


def _put(client: httpx.Client, reference: str, manifest: bytes) -> str:
    headers = {"Content-Type": _MANIFEST}
    client.put(f"/manifests/{reference}", content=manifest, headers=headers).raise_for_status()
    return _digest(manifest)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@contextmanager
def serve(folder: Path) -> Iterator[Registry]:
    """Run a registry that keeps its content in a folder, until the context ends.

    Raises:
        ToolError: docker-registry is not installed, or does not start.
    """
    (program,) = require_programs("docker-registry").values()
    port = allocate(["registry"], {})["registry"]
    folder.mkdir()
    settings, log = folder / "config.yml", folder / "log"
    settings.write_text(configuration(folder=folder / "data", port=port), encoding="utf-8")
    with log.open("wb") as stream:
        process = subprocess.Popen(  # long-lived, which cartwright.kernel.run is not for
            [program, "serve", settings], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
    try:
        _await(f"http://{LOOPBACK}:{port}/v2/", process, log)
        yield Registry(host=f"{LOOPBACK}:{port}")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    @tenacity.retry(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, httpx.TransportError) and process.poll() is None
        ),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(20),
        reraise=True,
    )
    def ask() -> None:
        httpx.get(url, trust_env=False).raise_for_status()

    try:
        ask()
    except httpx.HTTPError as error:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise ToolError(f"docker-registry does not start: {' '.join(said) or error}") from error
