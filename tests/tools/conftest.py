"""Caches of a test's own, tools of a few bytes, and registries to share them through."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cartwright.kernel.paths import cache_root
from cartwright.tools import Tool, load_catalogue
from tests.promotion.registry_server import Registry, serve_registry

REPOSITORY = "cartwright/tools"
GO = """\
case "$1" in
version) echo "go version go1.99.0 linux/amd64" ;;
build) echo "$*" >> "$GO_LOG"; while [ "$1" != "-o" ]; do shift; done; mkdir -p "${2%/*}"; echo built > "$2" ;;
*) echo "$*" >> "$GO_LOG"; exit 1 ;;
esac"""


def program(file: Path, script: str) -> None:
    """Write a shell script that can be run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@dataclass(frozen=True)
class Shelf:
    """A repository in a running registry, and the files that it keeps."""

    registry: Registry
    data: Path

    @property
    def reference(self) -> str:
        """What to push to and pull from."""
        return f"{self.registry.host}/{REPOSITORY}"

    def blobs(self) -> set[str]:
        """Digests of all contents."""
        return {f"sha256:{file.parent.name}" for file in self._root().glob("blobs/sha256/*/*/data")}

    def blob(self, digest: str) -> Path:
        """The file of a content."""
        name = digest.removeprefix("sha256:")
        return self._root() / "blobs/sha256" / name[:2] / name / "data"

    def digest(self, tag: str) -> str:
        """What a tag leads to."""
        return (self._tags() / tag / "current/link").read_text()

    def manifest(self, tag: str) -> dict[str, object]:
        """What a tag leads to, read."""
        return dict(json.loads(self.blob(self.digest(tag)).read_text()))

    def layer(self, tag: str) -> str:
        """Digest of the archive that a tool's tag leads to."""
        return str(self.manifest(tag)["layers"][0]["digest"])  # type: ignore[index]

    def tags(self) -> set[str]:
        """All tags."""
        return {one.name for one in self._tags().iterdir()}

    def _root(self) -> Path:
        return self.data / "docker/registry/v2"

    def _tags(self) -> Path:
        return self._root() / "repositories" / REPOSITORY / "_manifests/tags"


@pytest.fixture
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A registry without TLS and without a password, for one test."""
    folder = tmp_path_factory.mktemp("registry")
    for registry in serve_registry(folder, plain=True):
        yield Shelf(registry, folder / "data")


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a Go that only says that it was called, and nothing of the person who runs the tests."""
    real = cache_root()
    for name in (
        *("CARTWRIGHT_TOOLS", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    ):
        monkeypatch.delenv(name, raising=False)
    program(tmp_path / "path" / "go", GO)
    monkeypatch.setenv("GO_LOG", str(tmp_path / "go.log"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    return real


@pytest.fixture
def built(tmp_path: Path) -> list[str]:
    """What Go was asked to do, each call a line; read it through :func:`built_tools`."""
    return [str(tmp_path / "go.log")]


def built_tools(log: list[str]) -> list[str]:
    """The packages that Go was asked to build."""
    file = Path(log[0])
    return [line.rsplit(" ", 1)[1] for line in file.read_text().splitlines()] if file.is_file() else []


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., list[Tool]]:
    """Puts tools that print their name into the cache, as if they had been built."""

    def put(*names: str, says: str = "") -> list[Tool]:
        tools = [load_catalogue()[name] for name in names]
        for tool in tools:
            program(tool.binary, f"echo {says or tool.name}")
        return tools

    return put


@pytest.fixture
def new_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Moves to another, empty cache: another machine."""

    def move() -> Path:
        folder = tmp_path / f"cache-{len(list(tmp_path.glob('cache-*')))}"
        folder.mkdir()
        monkeypatch.setenv("CARTWRIGHT_CACHE", str(folder))
        return folder

    return move


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    code: int
    stdout: str
    stderr: str


def cartwright(*words: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run the installed command in a process of its own."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cartwright")), *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
