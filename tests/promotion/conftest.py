"""A small Git repository with dev, staging and prod for each test, and a runner that keeps stdout and stderr apart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.measure import cache_with_tools
from benchmarks.synthetic import write_repository
from cartwright.kernel.paths import cache_root
from tests.promotion.registry_server import Registry, serve_registry

APP = "shop/app-000"
IMAGE = "ghcr.io/example/cartwright/app-000"
OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


def kustomization(*, tag: str = "1.0.0", digest: str = OLD) -> str:
    """An overlay in a style of its own, with comments in awkward places."""
    return f"""\
# what staging runs
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop
resources: [../../../../apps/shop/app-000]   # the base

images:
  # ours
  - digest: "{digest}"   # of the build below
    name: {IMAGE}
    newTag: {tag}  # first form
"""


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Repository:
    """A Git repository with content that Cartwright reads."""

    root: Path
    env: Mapping[str, str]

    def overlay(self, environment: str, app: str = APP) -> Path:
        """The kustomization of an app in an environment."""
        return self.root / "environments" / environment / app / "kustomization.yaml"

    def git(self, *words: str) -> str:
        """Run git and return what it wrote."""
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=dict(self.env), check=True, capture_output=True, text=True
        )
        return done.stdout

    def commit(self, message: str = "Change it") -> str:
        """Commit everything and return the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def run(self, *words: str, **env: str) -> Ended:
        """Run the installed command in a process of its own."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("cartwright")), *words],
            cwd=self.root,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def promote(self, *words: str, app: str = "app-000", **env: str) -> Ended:
        """Promote from dev to staging."""
        return self.run("promote", app, "--from", "dev", "--to", "staging", *words, **env)


def write_git_repository(root: Path, env: Mapping[str, str]) -> Repository:
    """Three environments in a row; dev runs 1.1.0 of app-000, staging and prod 1.0.0. All is committed."""
    policies = root.with_name("no-policies")  # promotion reads none, and copying them is most of the work
    policies.mkdir()
    write_repository(root, apps=2, environments=["dev", "staging", "prod"], policies=policies, releases=False)
    repository = Repository(root=root, env=env)
    for environment in ("staging", "prod"):
        repository.overlay(environment).write_text(kustomization())
    repository.overlay("dev").write_text(kustomization(tag="1.1.0", digest=NEW))
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("config", "user.name", "Platform Team")
    repository.git("config", "user.email", "platform-team@example.com")
    repository.commit("Begin")
    return repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository of :func:`write_git_repository`, with a home, a Git configuration and a cache of its own."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in {
        **cache_with_tools(tmp_path / "cache"),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "NO_COLOR": "",
    }.items():
        monkeypatch.setenv(name, value)
    import os

    return write_git_repository(tmp_path / "repository", dict(os.environ))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A real registry with TLS and a password, for all tests of a process."""
    yield from serve_registry(tmp_path_factory.mktemp("registry"), plain=False)


@pytest.fixture(scope="session")
def plain_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A real registry without TLS and without a password, as people run them on their own machine."""
    yield from serve_registry(tmp_path_factory.mktemp("plain-registry"), plain=True)


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, certificates and proxies of the person who runs the tests take part."""
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(cache_root()))  # the tools stay where they are
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        *("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
        *("SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"),
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def logged_in(no_credentials: None, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry with its certificate trusted and its password known."""
    for name, value in registry.environment().items():
        monkeypatch.setenv(name, value)
    return registry
