"""``cartwright promote discover``: what a registry has that is newer, and committing it with ``--set``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.promotion import fake_registry
from tests.promotion.conftest import APP, IMAGE, NEW, Ended, Repository
from tests.promotion.fake_registry import INDEX, MANIFEST, FakeRegistry, Step, digest_of
from tests.promotion.registry_server import Registry

CREATED = "org.opencontainers.image.created"
REPOSITORY = "shop/app"


def serve_content(fake: FakeRegistry, kind: str, content: Mapping[str, Any] | bytes, *names: str) -> str:
    """Serve a manifest or a blob under its digest and further names."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = digest_of(body)
    where = "blobs" if kind == "blob" else "manifests"
    headers = {"Content-Type": kind, "Docker-Content-Digest": digest}
    for name in (digest, *names):
        fake.steps[f"/v2/{REPOSITORY}/{where}/{name}"] = [Step(content=body, headers=headers)]
    return digest


def manifest(
    fake: FakeRegistry, *names: str, created: str | None = None, annotation: str | None = None, text: str = ""
) -> str:
    """Serve a single image; returns its digest."""
    config = {"os": "linux", "architecture": "amd64", "text": text} | ({"created": created} if created else {})
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"digest": serve_content(fake, "blob", config)},
        "annotations": {CREATED: annotation} if annotation else {},
    }
    return serve_content(fake, MANIFEST, content, *names)


def index(fake: FakeRegistry, *names: str, annotation: str | None = None, **parts: str) -> str:
    """Serve an index of images, each by the architecture that it is for."""
    entries = [
        {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
        for architecture, digest in parts.items()
    ]
    content = {"manifests": entries, "annotations": {CREATED: annotation} if annotation else {}}
    return serve_content(fake, INDEX, content, *names)


def tags(fake: FakeRegistry, *names: str) -> None:
    fake.steps[f"/v2/{REPOSITORY}/tags/list"] = [Step(content=json.dumps({"tags": names}).encode())]


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry.serve() as server:
        yield server


def pull_from(repository: Repository, host: str, *, tag: str = "1.1.0", digest: str = NEW) -> None:
    """Let dev run an image of a registry."""
    overlay = repository.overlay("dev")
    text = overlay.read_text().replace(f"name: {IMAGE}\n", f"name: {IMAGE}\n    newName: {host}/{REPOSITORY}\n")
    overlay.write_text(text.replace("newTag: 1.1.0", f"newTag: {tag}").replace(NEW, digest))
    repository.commit("Pull from the registry")


@pytest.fixture
def shop(no_credentials: None, repository: Repository, fake: FakeRegistry) -> Repository:
    """The repository, whose dev runs 1.1.0 of the fake registry's image."""
    running = manifest(fake, "1.1.0", created="2026-01-01T00:00:00Z")
    tags(fake, "1.1.0")
    pull_from(repository, fake.host, digest=running)
    return Repository(root=repository.root, env=dict(os.environ))


def discover(shop: Repository, policy: str, *words: str) -> Ended:
    return shop.run("promote", "discover", "app-000", "--policy", policy, *words)


def found(shop: Repository, policy: str, *words: str) -> Any:
    """The one image of the JSON."""
    ended = discover(shop, policy, "--format", "json", *words)
    assert (ended.code, ended.stderr) == (0, "")
    (image,) = json.loads(ended.stdout)["images"]
    return image


def test_a_newer_version_is_told_with_its_digest_and_nothing_is_written(shop: Repository, fake: FakeRegistry) -> None:
    digest = manifest(fake, "1.4.0", text="newer")
    tags(fake, "1.1.0", "1.4.0", "2.0.0", "1.5.0-rc.1", "main", "latest", f"sha256-{'a' * 64}.sig")
    head = shop.git("rev-parse", "HEAD")
    ended = discover(shop, "semver:^1.1")
    image = f"{fake.host}/{REPOSITORY}"
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == (
        f"{APP}: {image} 1.1.0 → 1.4.0 ({digest[:19]}) [5 tags, 1 of them no versions]\n"
        f"commit it: cartwright promote set {APP} --env dev --image {image}:1.4.0@{digest}\n"
    )
    assert shop.git("rev-parse", "HEAD") == head


def test_nothing_newer_is_exit_code_0_in_text_and_json(shop: Repository, fake: FakeRegistry) -> None:
    tags(fake, "1.0.0", "1.1.0", "2.0.0")
    ended = discover(shop, "semver:^1")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == f"{APP}: nothing newer than 1.1.0 of {fake.host}/{REPOSITORY} for semver:^1 [3 tags]\n"
    ended = discover(shop, "semver:^1", "--set", "--format", "json")
    data = json.loads(ended.stdout)
    assert (ended.code, data["promotion"], data["images"][0]["newest"]) == (0, None, None)


def test_set_commits_what_was_found(shop: Repository, fake: FakeRegistry) -> None:
    digest = manifest(fake, "1.4.0", text="newer")
    tags(fake, "1.1.0", "1.4.0")
    ended = discover(shop, "semver:^1", "--set", "--format", "json")
    assert (ended.code, ended.stderr) == (0, "")
    data = json.loads(ended.stdout)
    assert (data["promotion"]["status"], data["promotion"]["commit"]) == (
        "promoted",
        shop.git("rev-parse", "HEAD").strip(),
    )
    overlay = shop.overlay("dev").read_text()
    assert "newTag: 1.4.0 " in overlay and digest in overlay
    assert f"Release: 1.4.0\nDigest: {digest}\n" in shop.git("show", "--no-patch", "--format=%B", "HEAD")
    again = discover(shop, "semver:^1", "--set")
    assert (again.code, again.stdout.startswith(f"{APP}: nothing newer than 1.4.0 of ")) == (0, True)


def test_set_stops_at_a_gate_with_exit_code_1(shop: Repository, fake: FakeRegistry) -> None:
    manifest(fake, "1.4.0", text="newer")
    tags(fake, "1.1.0", "1.4.0")
    assert shop.run("promote", "freeze", "--env", "dev", "--reason", "audit", "--for", "1h").code == 0
    ended = discover(shop, "semver:^1", "--set", "--format", "json")
    assert (ended.code, json.loads(ended.stdout)["promotion"]["status"]) == (1, "blocked")


def test_options_of_a_commit_need_set(shop: Repository) -> None:
    ended = discover(shop, "semver:^1", "--dry-run")
    assert (ended.code, ended.stderr) == (2, "error: --dry-run says how to commit (add --set)\n")


def test_a_tag_that_moved_is_refused(shop: Repository, fake: FakeRegistry) -> None:
    moved = manifest(fake, "1.1.0", text="another build")
    ended = discover(shop, "semver:^1", "--set")
    assert (ended.code, ended.stdout) == (1, "")
    start = f"error: {fake.host}/{REPOSITORY}:1.1.0: the tag moved: it leads to {moved} now, expected "
    assert ended.stderr.startswith(start)


def test_an_image_that_the_environment_can_not_run_is_refused(shop: Repository, fake: FakeRegistry) -> None:
    part = manifest(fake, text="arm")
    index(fake, "1.4.0", arm64=part)
    tags(fake, "1.1.0", "1.4.0")
    ended = discover(shop, "semver:^1")
    assert ended.code == 1
    assert ended.stderr == (
        f"error: {fake.host}/{REPOSITORY}:1.4.0: is not built for linux/amd64, only for linux/arm64\n"
    )


def test_the_newest_build_is_found_by_the_configuration_of_the_environments_platform(
    shop: Repository, fake: FakeRegistry
) -> None:
    manifest(fake, "build-b", created="2026-01-02T00:00:00.123456789Z", text="b")
    old = manifest(fake, created="2026-01-01T12:00:00Z", text="for amd64")
    new = manifest(fake, created="2026-02-01T00:00:00Z", text="for arm64")
    index(fake, "build-c", amd64=old, arm64=new)
    tags(fake, "1.1.0", "build-c", "build-b")
    assert found(shop, "newest-build")["newest"]["tag"] == "build-b"


def test_an_annotation_dates_a_build_whose_configuration_has_no_date(shop: Repository, fake: FakeRegistry) -> None:
    manifest(fake, "a", annotation="2026-01-03T00:00:00+01:00", text="a")
    part = manifest(fake, created="1970-01-01T00:00:00Z", text="reproducible")
    digest = index(fake, "b", annotation="2026-01-04T00:00:00Z", amd64=part)
    manifest(fake, "c", text="no date")
    tags(fake, "a", "b", "c", "gone")
    image = found(shop, "newest-build")
    assert image["newest"] == {"tag": "b", "digest": digest}
    assert (image["tags"], image["unread"]) == (4, 2)


def test_an_older_build_is_not_newer(shop: Repository, fake: FakeRegistry) -> None:
    manifest(fake, "z", created="2025-12-31T23:59:59Z", text="older")
    manifest(fake, "zz", created="2026-01-01T00:00:00Z", text="of the same second")
    tags(fake, "1.1.0", "z", "zz")
    assert found(shop, "newest-build")["newest"] is None


def test_a_pattern_orders_by_its_named_group(shop: Repository, fake: FakeRegistry) -> None:
    manifest(fake, "b10-a", text="ten")
    tags(fake, "b9-z", "b10-a", "1.1.0")
    image = found(shop, "regex:b(?P<number>[0-9]+)-.")
    assert (image["newest"]["tag"], image["unread"]) == ("b10-a", 1)


def test_one_image_of_the_app_can_be_named(shop: Repository, fake: FakeRegistry) -> None:
    assert found(shop, "semver:^1", "--image", f"{fake.host}/{REPOSITORY}")["image"] == f"{fake.host}/{REPOSITORY}"
    ended = discover(shop, "semver:^1", "--image", f"{fake.host}/{REPOSITORY}s")
    assert ended.code == 2
    assert ended.stderr == (
        f"error: environments/dev/{APP}/kustomization.yaml: images has no entry '{fake.host}/{REPOSITORY}s' "
        f"(did you mean '{fake.host}/{REPOSITORY}'?)\n"
    )


def test_a_registry_without_an_answer_is_one_clear_line(shop: Repository, fake: FakeRegistry) -> None:
    fake.steps[f"/v2/{REPOSITORY}/tags/list"] = [Step(code=401)]
    ended = discover(shop, "semver:^1", "--format", "json")
    assert ended.code == 2
    error = json.loads(ended.stdout)["error"]
    assert (error["exitCode"], error["message"].startswith(f"{fake.host}/{REPOSITORY}: the registry wants")) == (
        2,
        True,
    )


@pytest.mark.registry
def test_a_real_registry_is_asked_and_its_answer_committed(
    no_credentials: None, repository: Repository, registry: Registry
) -> None:
    first = registry.push(REPOSITORY, "1.9.0", text="first")
    digest = registry.push(REPOSITORY, "1.10.0", text="second", platforms=("linux/amd64", "linux/arm64"))
    pull_from(repository, registry.host, tag="1.9.0", digest=first)
    shop = Repository(root=repository.root, env={**os.environ, **registry.environment()})
    ended = discover(shop, "semver:~1", "--set", "--format", "json")
    assert (ended.code, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["images"][0]["newest"] == {"tag": "1.10.0", "digest": digest}
    assert digest in shop.overlay("dev").read_text()
