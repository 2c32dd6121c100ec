"""The commands of ``cartwright promote`` as people type them: exit code, stdout and stderr, text and JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cartwright.cli import build
from cartwright.history.trailers import NOT_ASKED
from cartwright.kernel.errors import UserError
from tests.promotion.conftest import APP, IMAGE, NEW, OLD, Ended, Repository, write_git_repository

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/promotion.schema.json").read_text())
DOCS = (Path(__file__).parents[2] / "docs/promotion.md").read_text()
GATES = Path(__file__).parents[2] / "scripts/cartwright/promotion/gates"
STAGING = f"environments/staging/{APP}/kustomization.yaml"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository that no test changes."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return write_git_repository(tmp_path_factory.mktemp("shared") / "repository", env)


def parsed(ended: Ended) -> Any:
    data = json.loads(ended.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def set_gates(repository: Repository, **gates: str) -> None:
    file = repository.root / "environments/staging/environment.yaml"
    text = file.read_text()
    for key, value in gates.items():
        assert f"  {key}: " in text
        text = re.sub(rf"  {key}: .*", f"  {key}: {value}", text)
    file.write_text(text)
    repository.commit("Other gates")


def test_a_shut_gate_is_exit_code_1_with_its_sentence_code_and_time(repository: Repository) -> None:
    set_gates(repository, soak="2d")
    head = repository.git("rev-parse", "HEAD")
    ended = repository.promote()
    assert (ended.code, ended.stderr) == (1, "")
    assert re.search(
        r"✗ soak: 1.1.0 has run in dev for \w+ of the 2d that staging asks for \[soak-short\] \(until \S+Z\)\n"
        r"blocked, nothing was written; it could go at \S+Z\n$",
        ended.stdout,
    )
    assert "upstream" not in ended.stdout, "what passed is not listed"
    data = parsed(repository.promote("--format", "json"))
    assert (data["status"], data["commit"]) == ("blocked", None)
    assert data["nextTime"] == next(one["until"] for one in data["gates"] if one["code"] == "soak-short")
    assert repository.git("rev-parse", "HEAD") == head


def test_a_dry_run_tells_every_gate_and_writes_nothing_at_all(repository: Repository) -> None:
    set_gates(repository, soak="2d", health="true")
    before = sorted(str(file) for file in (repository.root / ".git").rglob("*"))
    ended = repository.promote("--dry-run")
    assert ended.code == 1
    for gate in ("upstream", "verification", "approvals", "signatures", "hold", "freeze"):
        mark = "✓" if gate in {"upstream", "hold", "freeze"} else "–"
        assert f"{mark} {gate}: " in ended.stdout
    assert "✗ soak: " in ended.stdout
    assert (
        "✗ health: whether dev-shop-app-000 is healthy is not known: no cluster with Argo CD is known" in ended.stdout
    )
    assert "changed Deployment.apps shop/app-000" in ended.stdout
    assert sorted(str(file) for file in (repository.root / ".git").rglob("*")) == before


def test_argo_cd_is_asked_through_kubectl_with_the_given_kubeconfig(repository: Repository, tmp_path: Path) -> None:
    set_gates(repository, health="true")
    commit = repository.git("rev-parse", "HEAD").strip()
    status = {
        "sync": {"status": "Synced", "revision": commit},
        "health": {"status": "Healthy"},
        "reconciledAt": "2099-01-01T00:00:00Z",
        "operationState": {"phase": "Succeeded", "syncResult": {"revision": commit}},
        "summary": {"images": [f"ghcr.io/example/cartwright/app-000:1.1.0@{NEW}"]},
    }
    application = {
        "metadata": {"name": "dev-shop-app-000"},
        "spec": {"source": {"path": f"environments/dev/{APP}"}},
        "status": status,
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").write_text(
        f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\ncat <<'EOF'\n{json.dumps(application)}\nEOF\n"
    )
    (folder / "kubectl").chmod(0o755)
    path = f"{folder}:{repository.env['PATH']}"
    ended = repository.promote("--kubeconfig", "hub.yaml", "--context", "hub", PATH=path)
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["--kubeconfig=hub.yaml", "--context=hub", "get"]
    assert {"applications.argoproj.io", "dev-shop-app-000", "--namespace=argocd"} <= set(asked)


def test_a_rollback_a_hold_and_a_freeze_from_the_command_line(repository: Repository) -> None:
    repository.promote()
    ended = repository.run(
        "promote", "rollback", "app-000", "--env", "staging", "--reason", "errors", "--format", "json"
    )
    data = parsed(ended)
    assert (ended.code, data["operation"], data["status"]) == (0, "rollback", "promoted")
    assert data["apps"][0]["release"][0]["digest"] == OLD
    assert data["files"] == [STAGING, "environments/staging/promotion.yaml"]
    held = repository.promote()
    assert held.code == 1
    assert "[held] (until " in held.stdout
    ended = repository.run("promote", "release-hold", "app-000", "--env", "staging", "--reason", "mended")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"Release the hold on {APP} in staging\ncommitted ")
    ended = repository.run("promote", "freeze", "--env", "staging", "--reason", "audit", "--for", "2h", "--dry-run")
    assert (ended.code, ended.stdout) == (0, "Freeze staging\n\nnothing was written (dry run)\n")
    repository.run("promote", "freeze", "--env", "staging", "--reason", "audit", "--for", "2h")
    frozen = repository.promote()
    assert frozen.code == 1
    assert "by Platform Team <platform-team@example.com>: audit [freeze-decided]" in frozen.stdout
    ended = repository.promote("--break-glass", "Platform Team: the audit can wait")
    assert ended.code == 0
    assert "(passed over)" in ended.stdout
    assert "Break-Glass: Platform Team: the audit can wait" in repository.git("log", "-1", "--format=%B")


def test_a_push_lands_on_the_remote_and_leaves_the_clone_alone(repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "remote.git"))
    repository.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    head = repository.git("rev-parse", "HEAD")
    ended = repository.promote("--push")
    assert (ended.code, ended.stderr) == (0, "")
    assert re.search(r"committed [0-9a-f]{7} and pushed it to main of origin\n$", ended.stdout)
    assert repository.git("rev-parse", "HEAD") == head
    assert repository.git("--git-dir", str(tmp_path / "remote.git"), "rev-parse", "main^") == head


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rolback", "app-000", "--env", "dev"], "no command 'promote rolback' (did you mean 'rollback'?)"),
        (["--from", "dev", "--to", "staging"], "name apps, or --set NAME, or --all: one of the three"),
        (["app-000", "--all", "--from", "dev", "--to", "staging"], "name apps, or --set NAME, or --all: one of"),
        (["app-000", "--from", "dev", "--to", "staging", "--branch", "x"], "--remote and --branch say where to push"),
        (["app-000", "--from", "dev", "--to", "staging", "--break-glass", "now"], "say who and why: 'NAME: reason'"),
        (["freeze", "--env", "staging", "--reason", "x"], "when does it end? (--for 2h, or --until"),
        (["hold", "app-000", "--env", "staging", "--reason", "x", "--for", "1 day"], "'1 day' is not a duration"),
        (["hold", "app-000", "--env", "stagin", "--reason", "x"], "no environment 'stagin' (did you mean 'staging'?)"),
        (["hold", "app-000", "--env", "dev", "--reason", "a\nb"], "reason 'a\\nb': expected one line of text"),
        (["freeze", "--env", "dev", "--reason", "x", "--until", "2026-01-01T00:00:00Z"], "ends before it begins"),
        (["hold", "app-000", "--env", "dev", "--reason", "x", "--until", "tomorrow"], "'tomorrow' is not a time"),
    ],
)
def test_a_wrong_word_is_exit_code_2_and_one_clear_line(
    shared: Repository, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(shared.root)
    with pytest.raises(UserError) as refused:
        build("promote")(["promote", *words], standalone_mode=False)
    assert refused.value.exit_code == 2
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_docs_list_every_code_that_a_gate_can_give() -> None:
    code = re.compile(r'"((?:upstream|soak|health|verification|approvals|forge|reviews|check|freeze)-[a-z-]+|held)"')
    given = {found for file in GATES.glob("*.py") for found in code.findall(file.read_text())}
    listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|held)`", DOCS.partition("## Gates")[2].partition("**Argo CD**")[0]))
    assert given == {one for one in listed - {NOT_ASKED} if not one.startswith(("signature-", "registry-"))}


@pytest.mark.parametrize("digest", ["", f"@{NEW}"], ids=["tag alone", "with a digest"])
def test_set_refuses_latest(shared: Repository, digest: str) -> None:
    ended = shared.run("promote", "set", "app-000", "--env", "dev", "--image", f"{IMAGE}:latest{digest}", "--offline")
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"error: image '{IMAGE}:latest{digest}' is tagged latest, which names no version "
        "(people read the tag: REPO:TAG, or REPO:TAG@DIGEST)\n"
    )


# --- errors for programs ----------------------------------------------------------------------------


def with_remote(repository: Repository) -> Repository:
    """The repository, which follows a bare remote of the same content."""
    remote = repository.root.with_name("remote.git")
    repository.git("clone", "--quiet", "--bare", str(repository.root), str(remote))
    repository.git("remote", "add", "origin", str(remote))
    return repository


def wrong_tag(repository: Repository) -> None:
    overlay = repository.overlay("dev")
    overlay.write_text(overlay.read_text().replace(f'digest: "{NEW}"', 'digest: ""'))
    repository.commit()


def no_identity(repository: Repository) -> None:
    repository.git("config", "--unset", "user.email")


def detached(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--detach")


def shut(repository: Repository) -> None:
    set_gates(repository, soak="2d")


@pytest.mark.parametrize(
    ("spoil", "words", "code"),
    [
        pytest.param(None, ("app-00",), 2, id="unknown app"),
        pytest.param(None, ("app-000", "--break-glass", "me"), 2, id="break-glass without a reason"),
        pytest.param(wrong_tag, ("app-000",), 2, id="no digest"),
        pytest.param(no_identity, ("app-000",), 2, id="no identity"),
        pytest.param(detached, ("app-000",), 2, id="detached head"),
        pytest.param(shut, ("app-000",), 1, id="shut gate"),
    ],
)
def test_the_exit_code_is_the_same_with_and_without_push(
    repository: Repository, spoil: Any, words: tuple[str, ...], code: int
) -> None:
    with_remote(repository)
    if spoil:
        spoil(repository)
        repository.git("push", "--quiet", "origin", "HEAD:main")
    app, *rest = words
    here, there = (repository.promote(*rest, *push, "--format", "json", app=app) for push in ((), ("--push",)))
    assert (here.code, there.code) == (code, code)
    for ended in (here, there):
        data = json.loads(ended.stdout)
        assert data.get("status") == "blocked" if code == 1 else data["error"]["exitCode"] == code


def test_an_error_in_a_file_says_where_in_json(repository: Repository) -> None:
    wrong_tag(repository)
    error = json.loads(repository.promote("--format", "json").stdout)["error"]
    assert error == {
        "message": f"{IMAGE}:1.1.0 has no digest, so it can't be promoted",
        "where": f"environments/dev/{APP}/kustomization.yaml:9",
        "hint": error["hint"],
        "exitCode": 2,
    }
