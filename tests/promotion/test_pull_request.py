"""``cartwright promote … --pr``: a branch on a real bare remote, and a request on a fake of the forge."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import jsonschema
import pytest

from cartwright.history.trailers import Message, Moved, parse
from cartwright.promotion.request.body import Mark, read_mark
from cartwright.promotion.request.branch import branch_name
from tests.promotion.conftest import APP, NEW, OLD, Ended, Repository, kustomization
from tests.promotion.fake_forge import PROJECT, TOKEN, FakeForge, Refused, serve

pytestmark = pytest.mark.slow

FILE = f"environments/staging/{APP}/kustomization.yaml"
_TOKEN_OF = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN"}


@pytest.fixture
def remote(repository: Repository, tmp_path: Path) -> Path:
    """The repository's origin."""
    path = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", repository.root, path], check=True)
    repository.git("remote", "add", "origin", str(path))
    return path


@pytest.fixture(params=["github", "gitlab"])
def fake(request: pytest.FixtureRequest, remote: Path) -> Iterator[FakeForge]:
    with serve(remote, request.param) as server:
        server.kind = request.param  # type: ignore[attr-defined]
        yield server


def propose(repository: Repository, fake: Any, *words: str, **env: str) -> Ended:
    token = {_TOKEN_OF[fake.kind]: TOKEN}
    place = ("--pr", "--forge", fake.kind, "--project", PROJECT, "--api", fake.url)
    return repository.promote(*place, *words, **{**token, **env})


def git(fake: FakeForge, *words: str) -> str:
    """Ask the remote."""
    return subprocess.run(["git", *words], cwd=fake.remote, capture_output=True, text=True, check=True).stdout


def decide(repository: Repository, fake: Any, *words: str) -> Ended:
    """Run another command with ``--pr``."""
    place = ("--pr", "--forge", fake.kind, "--project", PROJECT, "--api", fake.url)
    return repository.run("promote", *words, *place, **{_TOKEN_OF[fake.kind]: TOKEN})


def block(repository: Repository) -> None:
    """Ask in staging for a soak that has not passed."""
    file = repository.root / "environments/staging/environment.yaml"
    text = file.read_text()
    assert "soak: 0s" in text
    file.write_text(text.replace("soak: 0s", "soak: 2h"))
    repository.commit("Let it soak")
    repository.git("push", "--quiet", "origin", "main")


def unblock(repository: Repository) -> None:
    file = repository.root / "environments/staging/environment.yaml"
    file.write_text(file.read_text().replace("soak: 2h", "soak: 0s"))
    repository.commit("No soak")
    repository.git("push", "--quiet", "origin", "main")
    approved = repository.run("promote", "approve-gates", "--env", "staging", "--reason", "it has soaked", "--push")
    assert approved.code == 0, approved.stderr


def test_a_request_holds_one_commit_and_nothing_here_or_on_main_moves(repository: Repository, fake: FakeForge) -> None:
    head, main = repository.git("rev-parse", "HEAD"), fake.commit_of("main")
    ended = propose(repository, fake, "--format", "json")
    assert (ended.code, ended.stderr) == (0, "")
    (change,) = fake.open()
    data = json.loads(ended.stdout)
    assert data["status"] == "requested"
    jsonschema.validate(data, json.loads((Path(__file__).parents[2] / "docs/promotion.schema.json").read_text()))
    assert data["request"] == {"number": 1, "url": data["request"]["url"], "status": "opened", "merge": "auto",
                               "remark": None, "superseded": [], "failure": None}  # fmt: skip
    assert (repository.git("rev-parse", "HEAD"), fake.commit_of("main")) == (head, main)
    assert repository.git("status", "--porcelain") == ""
    assert data["commit"] == fake.commit_of(change.branch)
    shown = subprocess.run(
        ["git", "show", f"{change.branch}:{FILE}"], cwd=fake.remote, capture_output=True, text=True, check=True
    ).stdout
    assert shown == kustomization(tag="1.1.0", digest=NEW)
    log = ["git", "rev-list", f"main..{change.branch}"]
    assert subprocess.run(log, cwd=fake.remote, capture_output=True, text=True, check=True).stdout.count("\n") == 1
    assert change.auto_merge
    assert change.title == f"Promote {APP} 1.1.0 from dev to staging"


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_the_text_shows_gates_and_objects(repository: Repository, fake: FakeForge) -> None:
    assert propose(repository, fake).code == 0
    body = fake.open()[0].body
    assert f"| {APP} | 1.0.0 | 1.1.0 | `{NEW[:19]}` |" in body
    assert "Every gate lets it pass." in body
    assert "| – | soak |" in body
    assert f"-        image: ghcr.io/example/cartwright/app-000:1.0.0@{OLD}" in body
    assert f"+        image: ghcr.io/example/cartwright/app-000:1.1.0@{NEW}" in body
    assert read_mark(body) == Mark("staging", (APP,))
    assert parse(f"A title\n\n{body}") == replace(
        parse(git(fake, "show", "--no-patch", "--format=%B", fake.open()[0].branch)), subject="A title", body=ANY
    )


def test_a_gate_that_blocks_makes_a_draft_which_is_ready_once_it_passes(
    repository: Repository, fake: FakeForge
) -> None:
    block(repository)
    ended = propose(repository, fake)
    assert (ended.code, ended.stderr) == (1, "")
    assert "✗ soak: " in ended.stdout
    assert ended.stdout.endswith("/1: a draft until the gates let it pass\n")
    (change,) = fake.open()
    assert change.draft or change.title.startswith("Draft: ")
    assert not change.auto_merge
    assert "Blocked by 1 of " in change.body
    first = fake.commit_of(change.branch)
    unblock(repository)
    assert propose(repository, fake).stdout.endswith("/1: merged by the forge once its own conditions are met\n")
    assert [one.number for one in fake.open()] == [1]
    assert not change.draft
    assert not change.title.startswith("Draft: ")
    assert fake.commit_of(change.branch) != first  # its trailers say now that every gate passed


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_again_without_a_change_leaves_branch_and_request_alone(repository: Repository, fake: FakeForge) -> None:
    propose(repository, fake)
    first, asked = fake.commit_of(fake.open()[0].branch), len(fake.asked)
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Something else")
    repository.git("push", "--quiet", "origin", "main")
    data = json.loads(propose(repository, fake, "--format", "json").stdout)
    assert (data["request"]["status"], data["commit"]) == ("unchanged", first)
    assert [one for one in fake.asked[asked:] if not one.startswith("GET")] == []


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_a_newer_release_gets_a_request_of_its_own_and_closes_the_older(
    repository: Repository, fake: FakeForge
) -> None:
    propose(repository, fake)
    newer = "sha256:" + "2" * 64
    repository.overlay("dev").write_text(kustomization(tag="1.2.0", digest=newer))
    repository.commit("dev gets 1.2.0")
    repository.git("push", "--quiet", "origin", "main")
    ended = propose(repository, fake)
    assert ended.code == 0
    assert "/1, which it replaces\n" in ended.stdout
    assert [one.title for one in fake.open()] == [f"Promote {APP} 1.2.0 from dev to staging"]
    assert fake.commit_of(fake.changes[0].branch) is None


def test_without_a_token_nothing_is_pushed(repository: Repository, fake: Any) -> None:
    ended = propose(repository, fake, **{_TOKEN_OF[fake.kind]: "", "GH_TOKEN": "", "CI_JOB_TOKEN": ""})
    other = {"github": "GITHUB_TOKEN or GH_TOKEN", "gitlab": "GITLAB_TOKEN or CI_JOB_TOKEN"}[fake.kind]
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == f"error: {fake.kind}: no token (set {other})\n"
    done = subprocess.run(["git", "branch"], cwd=fake.remote, capture_output=True, text=True, check=True)
    assert done.stdout == "* main\n"


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_a_dry_run_asks_no_forge_and_pushes_nothing(repository: Repository, fake: FakeForge) -> None:
    ended = propose(repository, fake, "--dry-run")
    assert ended.code == 0
    assert ended.stdout.endswith("nothing was written (dry run)\n")
    assert fake.asked == []
    done = subprocess.run(["git", "branch"], cwd=fake.remote, capture_output=True, text=True, check=True)
    assert done.stdout == "* main\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pr", "--push"), "--push and --pr are two ways to deliver (give one of them)"),
        (("--forge", "github"), "--forge says where a request is opened (add --pr)"),
        (("--pr",), "unknown forge at '{remote}' (pass --forge github or --forge gitlab)"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    repository: Repository, remote: Path, words: tuple[str, ...], message: str
) -> None:
    ended = repository.promote(*words)
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", f"error: {message.replace('{remote}', str(remote))}\n")


def test_a_branch_belongs_to_one_release_of_its_apps() -> None:
    def name(tag: str, digest: str, app: str = "shop/catalog") -> str:
        return branch_name(Message(subject="x", source="dev", target="prod", moved=(Moved(app, (tag,), (digest,)),)))

    assert name("1.0.0", OLD).startswith("promote/prod/shop-catalog-1-0-0-")
    assert name("1.0.0", OLD) == name("1.0.0", OLD)
    assert len({name("1.0.0", OLD), name("1.0.0", NEW), name("1.0.1", OLD), name("1.0.0", OLD, "shop/orders")}) == 4


# --- approvals and decisions --------------------------------------------------------------------------

_STAGING = ("--env", "staging", "--reason", "Sale")


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_a_decision_and_its_end_come_by_requests_too(repository: Repository, fake: FakeForge) -> None:
    main = fake.commit_of("main")
    fake.nothing_to_wait_for = True
    ended = decide(repository, fake, "hold", "app-000", *_STAGING, "--for", "2h")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.endswith("/1: merged\n")
    assert fake.commit_of("main") != main
    assert propose(repository, fake, "--push", "--dry-run").code == 2
    held = propose(repository, fake, "--dry-run")
    assert (held.code, "[held]" in held.stdout) == (1, True)
    assert decide(repository, fake, "release-hold", "app-000", *_STAGING).stdout.endswith("/2: merged\n")
    assert propose(repository, fake, "--dry-run").code == 0
    assert decide(repository, fake, "freeze", *_STAGING, "--for", "2h").stdout.endswith("/3: merged\n")
    assert propose(repository, fake, "--dry-run").code == 1
    assert decide(repository, fake, "unfreeze", *_STAGING).stdout.endswith("/4: merged\n")
    assert propose(repository, fake, "--dry-run").code == 0
    assert [one.title for one in fake.changes] == [
        f"Hold {APP} in staging",
        f"Release the hold on {APP} in staging",
        "Freeze staging",
        "Unfreeze staging",
    ]


@pytest.mark.parametrize("fake", ["gitlab"], indirect=True)
def test_a_decision_made_again_updates_its_open_request(repository: Repository, fake: FakeForge) -> None:
    decide(repository, fake, "freeze", *_STAGING, "--until", "2100-01-01T00:00:00Z")
    ended = decide(repository, fake, "freeze", *_STAGING, "--until", "2100-01-02T00:00:00Z")
    assert ended.stdout.startswith("Freeze staging\nupdated ")
    (change,) = fake.changes
    assert "until 2100-01-02T00:00:00Z" in change.body
    assert "2100-01-02" in git(fake, "show", f"{change.branch}:environments/staging/promotion.yaml")
    decide(repository, fake, "freeze", "--env", "staging", "--reason", "Outage", "--until", "2100-01-01T00:00:00Z")
    assert len(fake.open()) == 2


def test_an_approval_by_a_request_is_the_approvers_commit(repository: Repository, fake: FakeForge) -> None:
    file = repository.root / "environments/staging/environment.yaml"
    file.write_text(file.read_text().replace("approvals: 0", "approvals: 1"))
    repository.commit("Ask for an approval")
    repository.git("push", "--quiet", "origin", "main")
    missing = propose(repository, fake, "--dry-run")
    assert "[approvals-missing]" in missing.stdout
    ended = decide(repository, fake, "approve", "app-000", "--from", "dev", "--to", "staging")
    assert (ended.code, ended.stderr) == (0, "")
    (change,) = fake.changes
    assert "### Trailers" not in change.body
    assert git(fake, "show", "--no-patch", "--format=%cn", change.branch) == "Platform Team\n"
    fake.land(change, fake.write(change, "Merge it\n", parents=(str(fake.commit_of(change.branch)),)))
    repository.git("pull", "--quiet", "origin", "main")
    assert propose(repository, fake, "--dry-run").code == 0
    # Its branch is still there, and the next approval is not taken for this one.
    again = decide(repository, fake, "approve", "app-000", "--from", "dev", "--to", "staging")
    assert again.code == 0
    assert git(fake, "rev-list", "--count", f"main..{fake.changes[1].branch}") == "1\n"


def test_an_approval_that_would_lose_its_commit_is_refused_before_a_push(
    repository: Repository, fake: FakeForge
) -> None:
    fake.methods = {"squash"}
    ended = decide(repository, fake, "approve", "app-000", "--from", "dev", "--to", "staging")
    line = "an approval must keep its commit, and the repository merges with another one (squash)"
    hint = "allow merge commits, or say `approvals: {from: forge}` in environment.yaml"
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", f"error: {line} ({hint})\n")
    assert git(fake, "branch") == "* main\n"


# --- later steps --------------------------------------------------------------------------------------


def test_the_address_is_printed_also_where_a_later_step_fails(repository: Repository, fake: FakeForge) -> None:
    fake.answers.append((r"POST .*/labels|PUT .*/merge_requests/1", Refused(403, {"message": "Not yours"})))
    ended = propose(repository, fake)
    assert ended.code == 2
    assert ended.stdout.splitlines()[-1].startswith("opened https://")
    assert ended.stdout.endswith("/1: unfinished\n")
    assert "may not do this: Not yours" in ended.stderr
    assert propose(repository, fake).code == 0
    assert len(fake.changes) == 1
