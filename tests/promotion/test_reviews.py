"""The forge's reviews as approvals: those of the newest commit, by others, before the merge; and verified after it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwright.kernel.errors import UserError
from cartwright.promotion.gates.conditions import approvals_asked, reviewers
from cartwright.promotion.reviews import Review, Reviews
from cartwright.yaml.validate import load_valid
from tests.promotion.conftest import APP, Ended, Repository
from tests.promotion.fake_forge import PROJECT, TOKEN, Approval, FakeForge, serve

_TOKEN_OF = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN"}
_ANN = Review(login="ann", who="ann <3+ann@users.noreply.github.com>", commit="a" * 40)
_REVIEWS = Reviews(url="https://forge.example.com/1", head="a" * 40, authors=frozenset({"ci"}), approving=(_ANN,))


# --- which reviews count ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        pytest.param({"commit": "b" * 40}, {}, id="of an older commit"),
        pytest.param({"commit": ""}, {}, id="of some older commit"),
        pytest.param({"late": True}, {}, id="after the merge"),
        pytest.param({"entitled": False}, {}, id="by somebody who may not write"),
        pytest.param({"login": "ci"}, {"distinct": True}, id="by the author"),
    ],
)
def test_a_review_does_not_count(change: dict[str, Any], settings: dict[str, Any]) -> None:
    assert reviewers(_REVIEWS, settings) == {"ann": _ANN.who}
    assert reviewers(replace(_REVIEWS, approving=(replace(_ANN, **change),)), settings) == {}


def test_without_distinct_the_author_counts() -> None:
    assert reviewers(replace(_REVIEWS, approving=(replace(_ANN, login="ci"),)), {}) == {"ci": _ANN.who}


def test_who_was_entitled_at_the_merge_counts_later() -> None:
    left = replace(_REVIEWS, approving=(replace(_ANN, entitled=False),))
    assert reviewers(left, {}, known=(_ANN.who,)) == {"ann": _ANN.who}


_SOME = st.builds(
    Review,
    login=st.sampled_from(["ann", "bob", "ci"]),
    who=st.just("somebody <x@example.com>"),
    commit=st.sampled_from(["a" * 40, "b" * 40, ""]),
    late=st.booleans(),
    entitled=st.booleans(),
)


@given(st.lists(_SOME, max_size=6), st.booleans())
def test_nobody_counts_twice_or_for_another_commit(given_reviews: list[Review], distinct: bool) -> None:
    found = reviewers(replace(_REVIEWS, approving=tuple(given_reviews)), {"distinct": distinct})
    fresh = {one.login for one in given_reviews if one.commit == _REVIEWS.head and not one.late and one.entitled}
    assert set(found) == (fresh - {"ci"} if distinct else fresh)


def test_one_review_is_asked_for_unless_a_number_is_given() -> None:
    assert approvals_asked({"approvals": {"from": "forge"}})[0] == 1
    assert approvals_asked({"approvals": {"from": "forge", "count": 2}})[0] == 2


@pytest.mark.parametrize(
    ("approvals", "message"),
    [
        ('{from: forge, group: "@a"}', "'group' is not one of ['count', 'from', 'distinct']"),
        ("{from: forge, signers: a}", "'signers' is not one of ['count', 'from', 'distinct']"),
        ("{from: APPROVERS}", "'count' is a required property"),
        ("{from: forge, distnct: true}", "unknown key 'distnct' (did you mean 'distinct'?)"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_their_line(approvals: str, message: str) -> None:
    file = Path("environments/prod/environment.yaml")
    text = file.read_text(encoding="utf-8").replace("approvals: 1", f"approvals: {approvals}")
    schema = json.loads(Path("environments/environment.schema.json").read_text(encoding="utf-8"))
    with pytest.raises(UserError) as caught:
        load_valid(text, str(file), schema)
    assert str(caught.value) == f"{file}:10: gates.approvals: {message}"


# --- with the command ---------------------------------------------------------------------------------


@pytest.fixture
def remote(repository: Repository, tmp_path: Path) -> Path:
    """The origin of a repository whose staging asks for a review."""
    file = repository.root / "environments/staging/environment.yaml"
    file.write_text(file.read_text().replace("approvals: 0", "approvals: {from: forge, distinct: true}"))
    repository.commit("Ask for a review")
    path = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", repository.root, path], check=True)
    repository.git("remote", "add", "origin", str(path))
    repository.git("fetch", "--quiet", "origin")
    return path


@pytest.fixture(params=["github", "gitlab"])
def fake(request: pytest.FixtureRequest, remote: Path) -> Iterator[FakeForge]:
    with serve(remote, request.param) as server:
        server.kind = request.param  # type: ignore[attr-defined]
        yield server


def run(repository: Repository, fake: Any, *words: str, token: str = TOKEN) -> Ended:
    place = ("--forge", fake.kind, "--project", PROJECT, "--api", fake.url)
    return repository.run("promote", *words, *place, **{_TOKEN_OF[fake.kind]: token})


def propose(repository: Repository, fake: FakeForge) -> Ended:
    return run(repository, fake, "app-000", "--from", "dev", "--to", "staging", "--pr")


def who(fake: Any, login: str) -> str:
    """How the forge's reviewers stand in trailers."""
    if fake.kind == "github":
        return f"{login} <{len(login)}+{login}@users.noreply.127.0.0.1>"
    return f"{login.title()} <{len(login)}-{login}@users.noreply.127.0.0.1>"


@pytest.mark.slow
def test_a_request_waits_for_reviews_of_its_newest_commit_by_others(repository: Repository, fake: Any) -> None:
    ended = propose(repository, fake)
    assert (ended.code, ended.stderr) == (1, "")
    assert "✗ approvals: 0 of 1 reviews: staging asks for reviews of the pull or merge request" in ended.stdout
    assert ended.stdout.endswith("/1: it waits for reviews; run the command again after them\n")
    (change,) = fake.changes
    assert not change.draft
    assert not change.title.startswith("Draft: ")
    assert not change.auto_merge
    head = fake.commit_of(change.branch)
    old = Approval("ann", "0" * 40, time="2026-11-21T07:00:00Z")
    change.approvals = [old, Approval("ci", head)]
    ended = propose(repository, fake)
    assert ended.code == 1
    assert "0 of 1 reviews; ann approved an older commit; ci is its author: staging asks" in ended.stdout
    change.approvals = [old, Approval("bob", head)]
    ended = propose(repository, fake)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.endswith("/1: merged by the forge once its own conditions are met\n")
    assert fake.commit_of(change.branch) == head  # another commit would make the review stale
    assert f"Approved-By: {who(fake, 'bob')}" in change.body
    said = change.merging.get("commitBody") or change.merging["merge_commit_message"]
    assert f"Approved-By: {who(fake, 'bob')}" in said
    # Somebody takes the review back.
    change.approvals = [old]
    assert propose(repository, fake).code == 1
    assert not change.auto_merge


@pytest.mark.slow
def test_without_a_request_no_review_can_count(repository: Repository, remote: Path) -> None:
    ended = repository.promote("--push")
    assert ended.code == 1
    assert "staging asks for reviews of the pull or merge request: open it with --pr [forge-reviews]" in ended.stdout
    ended = repository.run("promote", "approve", "app-000", "--from", "dev", "--to", "staging")
    hint = "review the pull or merge request that `cartwright promote … --pr` opened"
    assert (ended.code, ended.stderr) == (2, f"error: staging takes approvals from the forge alone ({hint})\n")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_verify_asks_the_forge_again(repository: Repository, fake: Any, how: str) -> None:
    propose(repository, fake)
    (change,) = fake.changes
    head = str(fake.commit_of(change.branch))
    message = subprocess.run(
        ["git", "show", "--no-patch", "--format=%B", head], cwd=fake.remote, capture_output=True, text=True, check=True
    ).stdout
    landed = head if how == "rebase" else fake.write(change, message, parents=(head,) if how == "merge" else ())
    change.approvals = [Approval("bob", head)]
    fake.land(change, landed)
    repository.git("pull", "--quiet", "origin", "main")
    ended = run(repository, fake, "verify")
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    assert "not verified" not in ended.stdout
    for changed in (
        [],
        [Approval("bob", "0" * 40, "2026-11-21T07:00:00Z")],
        [Approval("bob", head, "2026-11-22T07:00:00Z")],
    ):
        change.approvals = changed
        ended = run(repository, fake, "verify")
        assert ended.code == 1
        assert "approvals-missing: 0 of the 1 reviews that were asked for: https://" in " ".join(ended.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_verify_names_a_change_that_no_request_brought(repository: Repository, fake: Any) -> None:
    propose(repository, fake)
    repository.git("pull", "--quiet", "origin", fake.changes[0].branch)
    ended = run(repository, fake, "verify")
    assert ended.code == 0
    assert "were not verified (it is not on main yet): run `cartwright" in " ".join(ended.stdout.split())
    repository.git("push", "--quiet", "origin", "main")
    ended = run(repository, fake, "verify")
    assert ended.code == 1
    assert "no request brought it to main, so nobody reviewed it" in " ".join(ended.stdout.split())


@pytest.mark.slow
def test_verify_offline_says_what_was_not_verified_and_what_to_run(repository: Repository, fake: Any) -> None:
    propose(repository, fake)
    repository.git("pull", "--quiet", "origin", fake.changes[0].branch)
    asked = len(fake.asked)
    ended = run(repository, fake, "verify", token="")
    said = " ".join(ended.stdout.split())
    assert ended.code == 0
    assert f"the reviews of 1.1.0 of {APP} in staging were not verified ({fake.kind}: no token (set " in said
    assert "run `cartwright promote verify` where the forge answers, with a token for it" in said
    assert len(fake.asked) == asked
