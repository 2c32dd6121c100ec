"""Real builds: the same commit gives the same digest anywhere, and a change makes one new layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cartwright.images.base import choose_base
from cartwright.images.buildah import Built, open_store
from cartwright.images.store import stored_services
from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree
from tests.images.conftest import CREATED, ROOT, commit, copy_services, git
from tests.promotion.registry_server import serve_registry

pytestmark = pytest.mark.images

BASE = "localhost/base:1"
LAYERS = ("base", "libraries", "kit", "service")


@pytest.fixture(scope="module")
def base_layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of Debian's packages, made if this machine's own store has none."""
    buildah = open_store()
    layout = tmp_path_factory.mktemp("base") / "oci"
    with buildah.exclusive(print):
        made = choose_base(ROOT, buildah, wanted="debian", say=print)
        buildah("push", "--quiet", made.reference, f"oci:{layout}:1")
    return layout


@contextmanager
def machine(cache: Path, base_layout: Path) -> Iterator[pytest.MonkeyPatch]:
    """Another machine: nothing in its cache but the base."""
    with pytest.MonkeyPatch.context() as patch:
        cache.mkdir()
        patch.setenv("CARTWRIGHT_CACHE", str(cache))
        buildah = open_store()
        buildah("tag", buildah("pull", "--quiet", f"oci:{base_layout}:1"), BASE)
        yield patch


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_services(tmp_path_factory.mktemp("shop") / "repository")


@pytest.fixture(scope="module")
def here(base_layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with machine(tmp_path_factory.mktemp("here") / "cache", base_layout):
        yield


@pytest.fixture(scope="module")
def built(shop: Path, here: None) -> Built:
    """Orders, built from nothing but the base and the lock."""
    return orders(shop)


def orders(root: Path) -> Built:
    return stored_services(root, ["orders"], base=BASE)["orders"]


def blob(image: Built, digest: str) -> Any:
    return json.loads((image.layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_text())


def layers(image: Built) -> dict[str, str]:
    """Layer → digest, as a registry has it."""
    found = [layer["digest"] for layer in blob(image, image.digest)["layers"]]
    assert len(found) == len(LAYERS)
    return dict(zip(LAYERS, found, strict=True))


def changed(before: Built, after: Built) -> list[str]:
    was, now = layers(before), layers(after)
    return [name for name in LAYERS if was[name] != now[name]]


def append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")


def test_the_image_runs_as_nobody_of_note_and_says_what_it_is(shop: Path, built: Built) -> None:
    settings = blob(built, blob(built, built.digest)["config"]["digest"])["config"]
    head = git(shop, "rev-parse", "HEAD")
    assert settings["User"] == "10001:10001"
    assert settings["Entrypoint"] == ["/bin/sh", "-c", 'exec python -m "$SERVICE"']
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in settings["Labels"].items()}
    assert labels.pop("io.buildah.version")
    assert labels == {
        "title": "orders",
        "description": "The orders service of the Cartwright shop",
        "source": read_names(open_tree(shop)).repository,
        "version": built.tag,
        "revision": head,
        "created": CREATED,
    }
    environment = dict(entry.split("=", 1) for entry in settings["Env"])
    assert (environment["SERVICE_VERSION"], environment["SERVICE_REVISION"]) == (built.tag, head)
    assert built.revision == head


def test_two_builds_of_one_commit_have_one_digest_wherever_they_are_made(
    built: Built, base_layout: Path, tmp_path: Path
) -> None:
    """Another folder, cache, time zone, umask and hash seed; nothing but the commit and the base is the same."""
    root = copy_services(tmp_path / "elsewhere" / "clone")
    with machine(tmp_path / "cache", base_layout) as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        patch.setenv("PYTHONHASHSEED", "7")
        mask = os.umask(0o077)
        try:
            other = orders(root)
        finally:
            os.umask(mask)
    assert other.layout != built.layout
    assert other.reference == built.reference


def test_a_change_of_a_services_code_makes_one_new_layer_and_of_the_kit_another(shop: Path, built: Built) -> None:
    app = shop / "services/orders/src/orders/app.py"
    kit = shop / "services/kit/src/cartwright_kit/app.py"
    texts = {file: file.read_text(encoding="utf-8") for file in (app, kit)}
    try:
        append(app, "LINE = 1")
        service_changed = orders(shop)
        assert changed(built, service_changed) == ["service"]
        assert service_changed.revision == f"{built.revision}-dirty"
        append(kit, "LINE = 1")
        assert changed(service_changed, orders(shop)) == ["kit"]
    finally:
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
    assert orders(shop) == built


def test_a_commit_changes_names_and_no_layer(shop: Path, built: Built) -> None:
    git(shop, "checkout", "--quiet", "-b", "other")
    try:
        append(shop / "services/orders/pyproject.toml", "# A comment, which is in no wheel.")
        commit(shop)
        after = orders(shop)
    finally:
        git(shop, "checkout", "--quiet", "-")
    assert changed(built, after) == []
    assert after.digest != built.digest
    assert after.revision != built.revision


def test_what_is_inside_starts_under_the_user_of_the_image(built: Built, tmp_path: Path) -> None:
    """Modules are found and compiled: nothing would be written at run time, where nothing can be written."""
    buildah = open_store()
    container = buildah("from", "--pull-never", f"{built.name}:{built.tag}")
    script = (
        "import importlib.metadata as m, os, orders.app, cartwright_kit, fastapi;"
        "print(os.getuid(), m.version('cartwright-orders'), *(os.path.dirname(os.path.dirname(one.__file__)) "
        "for one in (orders, cartwright_kit, fastapi)), os.path.exists(fastapi.__cached__))"
    )
    try:
        said = buildah("run", "--isolation", "chroot", container, "--", "python", "-c", script)
    finally:
        buildah("rm", container)
    assert said.split() == ["10001", "0.1.0", "/opt/service", "/opt/kit", "/opt/libraries", "True"]


@pytest.mark.registry
def test_where_a_registry_has_the_pinned_base_it_is_taken_from_there(
    base_layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror of Docker Hub, as containers-registries.conf names one."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "services").mkdir()
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    monkeypatch.delenv("CARTWRIGHT_BASE", raising=False)
    digest = json.loads((base_layout / "index.json").read_text())["manifests"][0]["digest"]
    pin = f"docker.io/library/python:3.11-slim@{digest}"
    (tmp_path / "services/Containerfile").write_text(f"ARG BASE={pin}\n", encoding="utf-8")
    (tmp_path / "cache").mkdir()
    buildah = open_store()
    for registry in serve_registry(tmp_path / "registry", plain=True):
        mirror = f'[[registry]]\nprefix = "docker.io"\nlocation = "{registry.host}"\ninsecure = true\n'
        (tmp_path / "registries.conf").write_text(mirror, encoding="utf-8")
        target = f"docker://{registry.host}/library/python:3.11-slim"
        copy = ["skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", f"oci:{base_layout}:1"]
        subprocess.run([*copy, target], check=True)
        base = choose_base(tmp_path, buildah, wanted=None, say=print)
    assert base.line == f"docker.io/library/python@{digest} (pinned in services/Containerfile)"
    assert buildah.identity(base.reference) == base.identity
    assert choose_base(tmp_path, buildah, wanted=None, say=print) == base


def test_the_store_gives_up_its_layers_once_it_has_grown_and_keeps_the_base(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartwright.images import buildah as engine

    buildah = open_store()
    before = buildah("images", "--all", "--quiet").split()
    buildah.trim(keep=[BASE])
    assert buildah("images", "--all", "--quiet").split() == before
    monkeypatch.setattr(engine, "_LIMIT", 1)
    buildah.trim(keep=[BASE])
    (left,) = buildah("images", "--all", "--quiet", "--no-trunc").split()
    assert left == f"sha256:{buildah.identity(BASE)}"


def test_the_command_prints_a_reference_that_can_be_pasted_and_copies_what_is_asked_for(
    shop: Path, built: Built, tmp_path: Path
) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "cartwright", "images", *words]
        done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    code, out, said = run("build", "orders", "--base", BASE, "--output", str(tmp_path / "out"))
    assert (code, out) == (0, f"{built.reference}\n"), said
    assert f"images: base: {BASE} (as asked)" in said
    assert "building" not in said
    index = json.loads((tmp_path / "out/orders/index.json").read_text())
    assert [one["digest"] for one in index["manifests"]] == [built.digest]
    assert built.reference in run("list")[1]
    code, out, said = run("build", "orderss", "--base", BASE)
    assert (code, out) == (2, "")
    assert said.strip() == "error: no service 'orderss' (did you mean 'orders'?)"
