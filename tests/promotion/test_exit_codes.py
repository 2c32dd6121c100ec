"""Exit codes of ``cartwright promote``: the same with and without ``--push``, and what a protected branch means."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.promotion.conftest import Repository

pytestmark = pytest.mark.slow

_BY_REQUEST = "\n\n- Changes must be made through a pull request."
_GITHUB = f"error: GH006: Protected branch update failed for refs/heads/main.{_BY_REQUEST}"
_RULESET = f"error: GH013: Repository rule violations found for refs/heads/main.{_BY_REQUEST}"
_GITLAB = "GitLab: You are not allowed to push code to protected branches on this project."


@pytest.fixture
def remote(repository: Repository, tmp_path: Path) -> Path:
    """The repository's origin."""
    path = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", repository.root, path], check=True)
    repository.git("remote", "add", "origin", str(path))
    return path


def refuse(remote: Path, words: str) -> None:
    """Have the remote refuse every push."""
    hook = remote / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
    hook.chmod(0o755)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(_GITHUB, "GH006: Protected branch update failed for refs/heads/main.", id="github"),
        pytest.param(_RULESET, "GH013: Repository rule violations found for refs/heads/main.", id="github-ruleset"),
        pytest.param(_GITLAB, _GITLAB, id="gitlab"),
    ],
)
def test_a_protected_branch_ends_in_one_line_that_names_pr(
    repository: Repository, remote: Path, words: str, said: str
) -> None:
    refuse(remote, words)
    ended = repository.promote("--push")
    assert (ended.code, ended.stdout) == (2, "")
    line = f"main of origin is protected, nothing was promoted: {said} (open a request with --pr in place of --push)"
    assert ended.stderr == f"error: {line}\n"


def test_a_rule_that_no_request_satisfies_is_quoted_alone(repository: Repository, remote: Path) -> None:
    refuse(remote, "error: GH013: Repository rule violations found for refs/heads/main.\n- Commits must be signed.")
    ended = repository.promote("--push")
    assert ended.code == 2
    assert ended.stderr.startswith("error: origin: refuses the push, nothing was promoted: GH013: ")
    assert "--pr" not in ended.stderr


def test_nothing_to_do_is_0_with_and_without_a_push(repository: Repository, remote: Path) -> None:
    assert repository.promote("--push").code == 0
    assert repository.promote("--push").code == 0
    repository.git("pull", "--quiet", "origin", "main")
    assert repository.promote().code == 0


def test_a_gate_that_blocks_is_1_with_and_without_a_push(repository: Repository, remote: Path) -> None:
    file = repository.root / "environments/staging/environment.yaml"
    file.write_text(file.read_text().replace("soak: 0s", "soak: 2h"))
    repository.commit("Let it soak")
    repository.git("push", "--quiet", "origin", "main")
    assert [repository.promote(*words).code for words in ((), ("--push",), ("--dry-run",))] == [1, 1, 1]


def test_a_detached_head_is_2_with_and_without_a_push(repository: Repository, remote: Path) -> None:
    repository.git("checkout", "--quiet", "--detach")
    assert [repository.promote(*words).code for words in ((), ("--push",))] == [2, 2]


def test_a_remote_that_can_not_be_reached_is_2(repository: Repository, remote: Path) -> None:
    remote.rename(remote.with_name("elsewhere.git"))
    ended = repository.promote("--push")
    assert ended.code == 2
    assert ended.stderr.startswith("error: origin: can't be reached, nothing was promoted: ")
