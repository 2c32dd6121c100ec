"""``cartwright promote set`` asks a real registry; the gate ``registry`` does at every promotion that wants it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.promotion.conftest import APP, IMAGE, NEW, OLD, Ended, Repository
from tests.promotion.registry_server import Registry, free_port

pytestmark = pytest.mark.registry


@pytest.fixture
def shop(no_credentials: None, repository: Repository, registry: Registry) -> Repository:
    """The repository, with an overlay in dev and staging that pulls from the registry."""
    for environment, tag, digest in (("dev", "1.1.0", NEW), ("staging", "1.0.0", OLD)):
        overlay = repository.overlay(environment)
        text = overlay.read_text().replace(
            f"name: {IMAGE}\n", f"name: {IMAGE}\n    newName: {registry.host}/shop/app\n"
        )
        assert "newName" in text and tag in text and digest in text
        overlay.write_text(text)
    repository.commit("Pull from the registry")
    return Repository(root=repository.root, env={**os.environ, **registry.environment()})


def set_image(shop: Repository, image: str, *words: str, **env: str) -> Ended:
    return shop.run("promote", "set", "app-000", "--env", "dev", "--image", image, *words, **env)


def gate(shop: Repository, environment: str, text: str) -> None:
    """Ask for more in an environment's gates."""
    file = shop.root / "environments" / environment / "environment.yaml"
    file.write_text(file.read_text().replace("gates:\n", f"gates:\n  {text}\n", 1))
    shop.commit("Ask for more")


def test_set_looks_the_digest_up_and_commits_both(shop: Repository, registry: Registry) -> None:
    digest = registry.push("shop/app", "2.0.0", text="2.0.0")
    ended = set_image(shop, f"{registry.host}/shop/app:2.0.0")
    assert (ended.code, ended.stderr) == (0, "")
    overlay = shop.overlay("dev").read_text()
    assert "newTag: 2.0.0 " in overlay and f'digest: "{digest}"' in overlay
    message = shop.git("show", "--no-patch", "--format=%B", "HEAD")
    assert f"Release: 2.0.0\nDigest: {digest}\n" in message
    assert "Registry:" not in message


def test_set_refuses_a_tag_that_moved_and_writes_nothing(shop: Repository, registry: Registry) -> None:
    first = registry.push("shop/app", "2.1.0", text="first")
    second = registry.push("shop/app", "2.1.0", text="second")
    head = shop.git("rev-parse", "HEAD")
    ended = set_image(shop, f"{registry.host}/shop/app:2.1.0@{first}")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"error: {registry.host}/shop/app:2.1.0: the tag moved: it leads to {second} now, expected {first}\n"
    )
    assert shop.git("rev-parse", "HEAD") == head


def test_the_platforms_of_the_commit_count_and_not_those_of_the_work_tree(shop: Repository, registry: Registry) -> None:
    registry.push("shop/app", "2.2.1", platforms=("linux/amd64",))
    gate(shop, "dev", "platforms: [linux/amd64]")
    file = shop.root / "environments/dev/environment.yaml"
    file.write_text(file.read_text().replace("platforms: [linux/amd64]", "platforms: [linux/s390x]"))
    ended = set_image(shop, f"{registry.host}/shop/app:2.2.1")
    assert (ended.code, ended.stderr) == (0, "")


def test_set_refuses_an_image_that_the_environment_can_not_run(shop: Repository, registry: Registry) -> None:
    registry.push("shop/app", "2.2.0", platforms=("linux/amd64", "linux/s390x"))
    gate(shop, "dev", "platforms: [linux/amd64, linux/arm64]")
    ended = set_image(shop, f"{registry.host}/shop/app:2.2.0")
    assert ended.code == 1
    assert ended.stderr == (
        f"error: {registry.host}/shop/app:2.2.0: is not built for linux/arm64, only for linux/amd64, linux/s390x\n"
    )


def test_set_without_a_registry_is_refused(shop: Repository) -> None:
    host = f"127.0.0.1:{free_port()}"
    text = shop.overlay("dev").read_text()
    shop.overlay("dev").write_text(text.replace("newName: 127.0.0.1:", f"newName: {host}/was-", 1))
    ended = set_image(shop, f"{host}/shop/app:2.0.0")
    assert ended.code == 1
    assert ended.stderr.startswith(f"error: {host}: can't be reached: ")
    assert ended.stderr.count("\n") == 1
    assert "--offline" not in ended.stderr
    ended = set_image(shop, f"{host}/shop/app:2.0.0@{OLD}")
    assert ended.code == 1
    assert ended.stderr.endswith("(--offline takes tag and digest as they are given)\n")


def test_offline_takes_tag_and_digest_as_given_and_the_commit_says_so(shop: Repository, registry: Registry) -> None:
    ended = set_image(shop, f"{registry.host}/shop/app:3.0.0@{OLD}", "--offline", DOCKER_CONFIG="/nowhere")
    assert (ended.code, ended.stderr) == (0, "")
    assert "\nRegistry: not-asked\n" in shop.git("show", "--no-patch", "--format=%B", "HEAD")


def test_offline_without_a_digest_is_refused(shop: Repository, registry: Registry) -> None:
    ended = set_image(shop, f"{registry.host}/shop/app:3.0.0", "--offline")
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"error: image '{registry.host}/shop/app:3.0.0' has no digest (offline nobody can look it up: "
        "REPO:TAG@DIGEST)\n"
    )


def test_the_gate_lets_pass_what_the_registry_confirms_and_stops_a_tag_that_moved(
    shop: Repository, registry: Registry
) -> None:
    gate(shop, "staging", "registry: true")
    digest = registry.push("shop/app", "4.0.0", text="first")
    assert set_image(shop, f"{registry.host}/shop/app:4.0.0").code == 0
    said = json.loads(shop.promote("--dry-run", "--format", "json").stdout)
    mine = next(one for one in said["gates"] if one["gate"] == "registry")
    assert (mine["code"], mine["sentence"]) == ("passed", "the registry has 4.0.0 as it is pinned")
    second = registry.push("shop/app", "4.0.0", text="second")
    ended = shop.promote("--format", "json")
    assert ended.code == 1
    mine = next(one for one in json.loads(ended.stdout)["gates"] if one["gate"] == "registry")
    assert (mine["code"], mine["passed"]) == ("registry-tag-moved", False)
    assert mine["sentence"] == (
        f"{registry.host}/shop/app:4.0.0: the tag moved: it leads to {second} now, expected {digest}"
    )


def test_the_gate_stops_offline_images_that_the_registry_does_not_have(shop: Repository, registry: Registry) -> None:
    gate(shop, "dev", "registry: true")
    ended = set_image(shop, f"{registry.host}/shop/app:9.0.0@{OLD}", "--offline", "--format", "json")
    assert ended.code == 1
    mine = next(one for one in json.loads(ended.stdout)["gates"] if one["gate"] == "registry")
    assert mine["code"] == "registry-not-found"


def test_an_environment_that_asks_for_a_signature_blocks_an_unsigned_image(
    shop: Repository, registry: Registry, tmp_path: Path
) -> None:
    import subprocess

    from cartwright.tools import require

    cosign = require(["cosign"])["cosign"]
    env = {**shop.env, "COSIGN_PASSWORD": ""}
    subprocess.run([cosign, "generate-key-pair"], cwd=tmp_path, env=env, check=True, capture_output=True)
    (shop.root / "cosign.pub").write_bytes((tmp_path / "cosign.pub").read_bytes())
    gate(shop, "dev", "signatures: {key: cosign.pub}")
    image = f"{registry.host}/shop/app:5.0.0"
    digest = registry.push("shop/app", "5.0.0", text="signed later")
    ended = set_image(shop, image, "--format", "json")
    mine = next(one for one in json.loads(ended.stdout)["gates"] if one["gate"] == "signatures")
    assert (ended.code, mine["code"]) == (1, "signature-not-signed")
    assert mine["sentence"].endswith(": it is not signed")
    subprocess.run(
        [cosign, "sign", "--key", tmp_path / "cosign.key", "--tlog-upload=false", "--use-signing-config=false", "--yes",
         f"{registry.host}/shop/app@{digest}"],
        env=env, check=True, capture_output=True,
    )  # fmt: skip
    assert set_image(shop, image).code == 0
    assert f"App: {APP}\n" in shop.git("show", "--no-patch", "--format=%B", "HEAD")
