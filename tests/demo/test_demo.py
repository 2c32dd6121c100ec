"""The demo's parts without a cluster: what it takes for shut, whom it lets commit, what it changes in its clone."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cartwright.demo import rehearsal
from cartwright.demo.imagestore import Registry, serve
from cartwright.demo.stage import DemoError, Person, Shut, Stage, read_shut
from cartwright.promotion.gates import GATES
from cartwright.promotion.published import RegistryError, resolve
from cartwright.tree.environments import load_environments
from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree

ROOT = Path(__file__).resolve().parents[2]
DIGESTS = dict.fromkeys(rehearsal.APPS, "sha256:" + "1" * 64)
REGISTRY = Registry(host="127.0.0.1:5000")
ANYBODY = Person("Anybody", "anybody@example.com")


def stage(tmp_path: Path) -> Stage:
    return Stage(clone=tmp_path, person=ANYBODY, variables={})


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the demo edits, edited."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("argocd", "environments"):
        shutil.copytree(ROOT / name, folder / name)
    rehearsal.prepare(folder, REGISTRY, DIGESTS, keys={"cosign.pub": "key\n", "APPROVERS": "* a@example.com\n"})
    git(folder, "init", "--quiet")
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, env={**os.environ, **ANYBODY.environment()}, check=True)


def gates(clone: Path, environment: str) -> dict[str, object]:
    return dict(load_environments(open_tree(clone))[environment].content["gates"])


def test_the_gates_that_a_promotion_named_as_shut_are_read_from_its_text() -> None:
    output = (
        "shop/catalog: dev → staging\n"
        "  ✓ upstream: dev runs it [passed]\n"
        "  ✗ soak: 1.1.0 has run in dev for 1s of the 20s (until then) [soak-short] (until 2026-11-21T08:00:00Z)\n"
        "  ✗ health: shop/catalog: dev-shop-catalog is Degraded [health-not-healthy]\n"
        "blocked, nothing was written\n"
    )
    assert list(read_shut(output)) == [
        Shut("soak", "soak-short", "1.1.0 has run in dev for 1s of the 20s (until then)"),
        Shut("health", "health-not-healthy", "shop/catalog: dev-shop-catalog is Degraded"),
    ]


def test_every_gate_has_a_name_that_is_read() -> None:
    for gate in GATES:
        assert [one.gate for one in read_shut(f"  ✗ {gate}: no [a-code]")] == [gate]


def test_a_command_that_ends_otherwise_ends_the_demo(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"^ended with 1, not with 0: git config --get no\.such$"):
        stage(tmp_path).git("config", "--get", "no.such")


def test_a_promotion_that_another_gate_stopped_ends_the_demo(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"expected to be stopped by soak, and was by no gate: --version"):
        stage(tmp_path).cartwright("--version", shut={"soak"})


def test_output_that_lacks_a_sentence_ends_the_demo(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="does not say 'came through': --version"):
        stage(tmp_path).cartwright("--version", says=["cartwright", "came through"])


def test_a_person_commits_under_their_name_whatever_is_configured_here(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "x")
    shown = subprocess.run(
        ["git", "log", "--format=%cn %ce %an %G?"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "Anybody anybody@example.com Anybody N\n"


def test_the_demos_environments_are_valid_and_their_soak_is_seconds(clone: Path) -> None:
    assert gates(clone, "staging")["soak"] == "30s"
    assert gates(clone, "prod")["soak"] == "10s"
    assert gates(clone, "dev") == gates(ROOT, "dev")
    for environment in rehearsal.ENVIRONMENTS:
        content = load_environments(open_tree(clone))[environment].content
        assert "127.0.0.1:5000/shop" in content["policies"]["image-registry"]["registries"]
        release = "" if environment == "dev" else "release/"
        for app in rehearsal.APPS:
            pinned = YAML().load(clone / f"environments/{environment}/shop/{app}/{release}kustomization.yaml")
            assert [dict(one) for one in pinned["images"]] == [
                {
                    "name": f"{read_names(open_tree(ROOT)).registry}/{app}",
                    "newName": f"127.0.0.1:5000/shop/{app}",
                    "newTag": "1.0.0",
                    "digest": DIGESTS[app],
                }
            ]


def test_the_demos_window_is_open_now_until_its_end_is_approved(clone: Path) -> None:
    from cartwright.history.git import read_head
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.gates.freeze import freezes_of
    from cartwright.promotion.plan import Context

    def planned() -> Context:
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--allow-empty", "--message", "x")
        return Context(snapshot=open_snapshot(clone, read_head(clone)), by="", now=now)

    def in_force() -> list[str]:
        asked = planned().in_force.asked("staging")
        assert asked is not None
        return [one["reason"] for one in asked.gates.gates["freezes"]]

    now = datetime.datetime.now(datetime.UTC)
    assert in_force() == []
    rehearsal.open_window(clone, "staging", now)
    context = planned()
    until = freezes_of(context, context.snapshot.environments["staging"]).until(now)
    assert until is not None
    assert datetime.timedelta(minutes=110) < until - now <= datetime.timedelta(minutes=115)
    rehearsal.close_window(clone, "staging")
    assert in_force() == ["Sale"], "nobody approved that the window goes"
    stage(clone).cartwright("promote", "approve-gates", "--env", "staging", "--reason", "the sale is over")
    assert in_force() == []


@pytest.mark.registry
def test_a_tag_of_the_demos_registry_moves_and_comes_back(tmp_path: Path) -> None:
    with serve(tmp_path / "registry") as registry:
        digest = registry.push("catalog", "1.1.0", content="one")
        reference = f"{registry.image('catalog')}:1.1.0@{digest}"
        assert resolve(reference).platforms == ("linux/amd64",)
        registry.push("catalog", "1.1.0", content="two")
        with pytest.raises(RegistryError) as moved:
            resolve(reference)
        assert moved.value.code == "tag-moved"
        registry.tag("catalog", digest, "1.1.0")
        assert resolve(reference).digest == digest
