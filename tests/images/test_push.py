"""The registry of the embedded cluster gets what is built, where a real node runs."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from cartwright.cluster.state import Layout, State
from cartwright.commands import images as command
from cartwright.images.buildah import Built
from cartwright.images.push import answers
from cartwright.kernel.ports import LOOPBACK
from tests.promotion.registry_server import serve_registry

pytestmark = pytest.mark.registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TAG = "0.1.0-local-0123456789ab"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a registry that runs."""
    (tmp_path / "registry").mkdir()
    for registry in serve_registry(tmp_path / "registry", plain=True):
        yield int(registry.host.rpartition(":")[2])


@pytest.fixture
def image(tmp_path: Path) -> Built:
    """An image of one empty layer."""
    layout = tmp_path / "layout"
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    archive = bytes(tarfile.BLOCKSIZE * 2)
    layer = put(gzip.compress(archive, mtime=0), "layer.v1.tar+gzip")
    files = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(archive).hexdigest()}"]}
    settings = {"os": "linux", "architecture": "amd64", "rootfs": files, "config": {}}
    config = put(json.dumps(settings).encode(), "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    found = put(json.dumps(manifest).encode(), "manifest.v1+json")
    found["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [found]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return Built(name="ghcr.io/example/cartwright/orders", tag=TAG, digest=found["digest"], size=1, layout=layout)


def run(state: State, root: Path, image: Built, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    monkeypatch.setattr(command, "_say", said.append)
    monkeypatch.setenv("CARTWRIGHT_STATE", str(root / "state"))
    state.save(Layout(root / "state"))
    return dict(command._push(root, {"orders": image})), said


def test_what_is_built_is_pushed_with_its_digest(
    tmp_path: Path, port: int, image: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed, said = run(State(real=True, ports={"registry": port}), tmp_path, image, monkeypatch)
    assert pushed == {"orders": f"{image.name}:{image.tag}@{image.digest}"}
    assert said == ["images: pushed to the embedded cluster's registry: orders"]
    url = f"http://{LOOPBACK}:{port}/v2/example/cartwright/orders/manifests/{image.tag}"
    answer = httpx.get(url, headers={"Accept": MANIFEST}, trust_env=False)
    assert answer.headers["Docker-Content-Digest"] == image.digest
    assert json.loads(answer.content)["layers"]


def test_nothing_is_pushed_where_every_pod_is_simulated(
    tmp_path: Path, port: int, image: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(real=True, ports={"registry": port})
    assert run(replace(state, real=False), tmp_path, image, monkeypatch) == ({}, [])


def test_a_registry_that_does_not_run_is_no_failure_and_one_line_says_what_to_do(
    tmp_path: Path, image: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartwright.kernel.ports import allocate

    port = allocate(["registry"], {})["registry"]
    assert not answers(port)
    pushed, said = run(State(real=True, ports={"registry": port}), tmp_path, image, monkeypatch)
    assert pushed == {}
    assert said == [
        "images: not pushed: the embedded cluster's registry does not answer; `cartwright up` starts it",
    ]
