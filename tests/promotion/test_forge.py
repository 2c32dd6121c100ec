"""Requests on a fake of GitHub and one of GitLab: opened once, kept current, superseded, merged when they may be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.errors import CartwrightError
from cartwright.promotion.request.body import Mark
from cartwright.promotion.request.forge import Forge, Request, propose
from cartwright.promotion.request.github import GitHub
from cartwright.promotion.request.gitlab import GitLab
from cartwright.promotion.request.project import ForgeError, Project, find_project
from tests.promotion.fake_forge import PROJECT, TOKEN, FakeForge, Refused, serve
from tests.promotion.registry_server import free_port

pytestmark = pytest.mark.usefixtures("no_credentials")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository with a branch for each request of these tests."""
    path = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", path], check=True)
    tree = git(path, "mktree", stdin="")
    base = git(path, "commit-tree", "-m", "Begin", tree)
    git(path, "update-ref", "refs/heads/main", base)
    for name in ("1.0.0-a", "1.1.0-b", "set-c", "other-d"):
        git(
            path,
            "update-ref",
            f"refs/heads/promote/prod/{name}",
            git(path, "commit-tree", "-p", base, "-m", name, tree),
        )
    return path


def git(root: Path, *words: str, stdin: str | None = None) -> str:
    ident = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["git", *words], cwd=root, check=True, capture_output=True, text=True, input=stdin, env={**ident, "PATH": PATH}
    ).stdout.strip()


PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture(params=["github", "gitlab"])
def fake(request: pytest.FixtureRequest, remote: Path) -> Iterator[FakeForge]:
    with serve(remote, request.param) as server:
        server.kind = request.param  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def forge(fake: FakeForge) -> Forge:
    return client(fake)


def client(fake: Any, token: str = TOKEN, path: str = PROJECT) -> Forge:
    project = Project(kind=fake.kind, api=fake.url, path=path, token=token, token_name="GITLAB_TOKEN")
    return GitHub(project, seconds_between_writes=0) if fake.kind == "github" else GitLab(project, patience=3)


def wanted(fake: FakeForge, name: str = "1.0.0-a", *apps: str, **options: Any) -> Request:
    branch = f"promote/prod/{name}"
    request = Request(
        title=f"Promote {name}",
        body=f"what moves\n\n{Mark('prod', apps or ('shop/catalog',)).render()}\n",
        mark=Mark("prod", apps or ("shop/catalog",)),
        branch=branch,
        commit=fake.commit_of(branch) or "",
        base="main",
        message=f"Promote {name}\n\nPromoted-To: prod\n",
        draft=False,
        auto_merge=False,
    )
    return replace(request, **options)


# --- what it does -----------------------------------------------------------------------------------


def test_a_request_is_opened_with_title_text_and_labels(fake: FakeForge, forge: Forge) -> None:
    proposed = propose(forge, wanted(fake))
    (change,) = fake.open()
    assert (proposed.number, proposed.status, proposed.merge) == (1, "opened", "by-hand")
    assert proposed.url.endswith("/1")
    assert (change.branch, change.base, change.title) == ("promote/prod/1.0.0-a", "main", "Promote 1.0.0-a")
    assert "what moves" in change.body
    assert change.labels == ["promotion", "environment/prod"]


def test_the_same_request_again_changes_nothing(fake: FakeForge, forge: Forge) -> None:
    propose(forge, wanted(fake))
    before = len(fake.asked)
    assert propose(forge, wanted(fake)).status == "unchanged"
    assert [one for one in fake.asked[before:] if not one.startswith("GET")] == []


def test_a_request_of_the_same_branch_is_brought_up_to_date(fake: FakeForge, forge: Forge) -> None:
    propose(forge, wanted(fake))
    fake.changes[0].labels.append("mine")
    proposed = propose(forge, wanted(fake, title="Promote again"))
    assert (proposed.number, proposed.status) == (1, "updated")
    assert (fake.changes[0].title, fake.changes[0].labels) == (
        "Promote again",
        ["promotion", "environment/prod", "mine"],
    )


def test_an_older_request_for_the_same_app_is_closed_with_a_link(fake: FakeForge, forge: Forge) -> None:
    first = propose(forge, wanted(fake, "1.0.0-a"))
    second = propose(forge, wanted(fake, "1.1.0-b"))
    assert second.superseded == (first.url,)
    assert [one.number for one in fake.open()] == [2]
    assert fake.changes[0].comments == [f"Superseded by {second.url}: Promote 1.1.0-b."]
    assert fake.commit_of("promote/prod/1.0.0-a") is None, fake.asked
    assert fake.commit_of("promote/prod/1.1.0-b") is not None


def test_a_set_replaces_the_requests_of_its_apps_and_no_single_app_replaces_the_set(
    fake: FakeForge, forge: Forge
) -> None:
    propose(forge, wanted(fake, "1.0.0-a", "shop/catalog"))
    propose(forge, wanted(fake, "set-c", "shop/catalog", "shop/orders"))
    assert [one.branch for one in fake.open()] == ["promote/prod/set-c"]
    assert propose(forge, wanted(fake, "1.1.0-b", "shop/catalog")).superseded == ()
    assert len(fake.open()) == 2


def test_requests_of_others_of_forks_and_for_other_environments_stay(fake: FakeForge, forge: Forge) -> None:
    ours = wanted(fake).body
    fake.add("feature", "main", "A feature", ours, draft=False)
    fake.add("promote/prod/other-d", "main", "By hand, without a mark", "text", draft=False)
    fake.add("promote/staging/x", "main", "staging", Mark("staging", ("shop/catalog",)).render(), draft=False)
    fake.add("promote/prod/other-d", "main", "From a fork", ours, draft=False).from_fork = True
    assert propose(forge, wanted(fake)).superseded == ()
    assert len(fake.open()) == 5


def test_a_branch_that_is_gone_already_does_not_stop_the_closing(fake: FakeForge, forge: Forge) -> None:
    propose(forge, wanted(fake, "1.0.0-a"))
    fake.delete("promote/prod/1.0.0-a")
    propose(forge, wanted(fake, "1.1.0-b"))
    assert [one.number for one in fake.open()] == [2]


def test_blocked_means_a_draft_and_ready_again_means_merged_by_the_forge(fake: FakeForge, forge: Forge) -> None:
    assert propose(forge, wanted(fake, draft=True, auto_merge=True)).merge == "draft"
    (change,) = fake.open()
    assert change.draft or change.title.startswith("Draft: ")
    assert not change.auto_merge
    proposed = propose(forge, wanted(fake, auto_merge=True))
    assert (proposed.status, proposed.merge) == ("updated", "auto")
    assert not change.draft
    assert not change.title.startswith("Draft: ")
    assert change.auto_merge
    assert propose(forge, wanted(fake, draft=True)).merge == "draft"
    assert change.draft or change.title.startswith("Draft: ")
    assert not change.auto_merge  # nobody merges it by making it ready


def test_with_nothing_to_wait_for_it_is_merged_now(fake: FakeForge, forge: Forge) -> None:
    fake.nothing_to_wait_for = True
    assert propose(forge, wanted(fake, auto_merge=True)).merge == "merged"
    assert fake.commit_of("main") == fake.commit_of("promote/prod/1.0.0-a")


def test_a_branch_that_moved_since_is_not_merged(fake: FakeForge, forge: Forge) -> None:
    fake.nothing_to_wait_for = True
    proposed = propose(forge, wanted(fake, auto_merge=True, commit="0" * 40))
    assert isinstance(proposed.failure, ForgeError)
    assert proposed.failure.code == "refused"
    assert "Head branch was modified" in str(proposed.failure)


def test_gitlab_is_asked_again_while_it_has_not_looked_at_the_request(remote: Path) -> None:
    with serve(remote, "gitlab") as fake:
        fake.kind = "gitlab"  # type: ignore[attr-defined]
        fake.looks_later = 2
        assert propose(client(fake), wanted(fake, auto_merge=True)).merge == "auto"
        assert fake.changes[0].asked_to_merge == 3


def test_a_request_that_somebody_opened_meanwhile_is_taken_over(
    fake: FakeForge, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.add("promote/prod/1.0.0-a", "main", "Of the other run", "text", draft=False)
    with monkeypatch.context() as patch:
        patch.setattr(type(forge), "open_requests", lambda self, base: [])  # it was not there a moment ago
        assert propose(forge, wanted(fake)).number == 1
    assert [one.title for one in fake.changes] == ["Promote 1.0.0-a"]


# --- how it is merged -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "methods", "method", "message"),
    [
        ("github", {"merge", "rebase", "squash"}, "REBASE", None),
        ("github", {"merge", "squash"}, "MERGE", None),
        ("github", {"squash"}, "SQUASH", ("Promote 1.0.0-a", "Promoted-To: prod")),
        ("gitlab", {"merge", "squash"}, False, None),
        ("gitlab", {"ff"}, False, None),
        ("gitlab", {"squash"}, True, "Promote 1.0.0-a\n\nPromoted-To: prod\n"),
    ],
)
def test_a_method_is_chosen_that_the_repository_allows(
    remote: Path, kind: str, methods: set[str], method: object, message: object
) -> None:
    with serve(remote, kind) as fake:
        fake.kind, fake.methods = kind, methods  # type: ignore[attr-defined]
        assert propose(client(fake), wanted(fake, auto_merge=True)).merge == "auto"
        said = fake.changes[0].merging
    if kind == "github":
        text = (said["commitHeadline"], said["commitBody"]) if "commitBody" in said else None
        assert (said["mergeMethod"], text) == (method, message)
    else:
        assert (said["squash"], said.get("squash_commit_message")) == (method, message)


@pytest.mark.parametrize("fake", ["github"], indirect=True)
@pytest.mark.parametrize(
    ("rule", "method"),
    [
        ({"type": "pull_request", "parameters": {"allowed_merge_methods": ["squash"]}}, "SQUASH"),
        ({"type": "required_linear_history"}, "SQUASH"),
        ({"type": "pull_request", "parameters": {}}, "MERGE"),
    ],
)
def test_a_ruleset_narrows_the_methods(fake: FakeForge, forge: Forge, rule: dict[str, Any], method: str) -> None:
    fake.methods, fake.rulesets = {"merge", "squash"}, [rule]
    propose(forge, wanted(fake, auto_merge=True))
    assert fake.changes[0].merging["mergeMethod"] == method


def test_an_approval_is_merged_with_its_own_commit(fake: Any, forge: Forge) -> None:
    propose(forge, wanted(fake, auto_merge=True, keep_commit=True))
    said = fake.changes[0].merging
    assert said.get("mergeMethod", "MERGE") == "MERGE"
    assert not said.get("squash")


def test_who_reviewed_stands_in_the_message_of_the_merge(fake: Any, forge: Forge) -> None:
    propose(forge, wanted(fake, auto_merge=True, reviewed=True))
    said = fake.changes[0].merging
    found = (
        said["merge_commit_message"] if fake.kind == "gitlab" else f"{said['commitHeadline']}\n\n{said['commitBody']}"
    )
    assert found.strip() == "Promote 1.0.0-a\n\nPromoted-To: prod"


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_without_auto_merge_the_request_stays_open_and_says_so(fake: FakeForge, forge: Forge) -> None:
    fake.auto_merge_allowed = False
    proposed = propose(forge, wanted(fake, auto_merge=True))
    remark = f"auto-merge is disabled in GitHub {PROJECT}: merge it on the forge"
    assert (proposed.merge, proposed.remark, proposed.failure) == ("by-hand", remark, None)
    assert fake.changes[0].state == "open"


def test_a_merge_queue_gets_the_request(fake: FakeForge, forge: Forge) -> None:
    fake.queue = "SQUASH"
    assert propose(forge, wanted(fake, auto_merge=True)).merge == "queued"
    assert fake.changes[0].queued
    assert not fake.changes[0].auto_merge


@pytest.mark.parametrize("fake", ["github"], indirect=True)
def test_what_the_queue_does_not_take_yet_joins_it_by_auto_merge(fake: FakeForge, forge: Forge) -> None:
    fake.queue, fake.queue_refuses = "MERGE", "Required status check is expected"
    assert propose(forge, wanted(fake, auto_merge=True)).merge == "auto"
    assert fake.changes[0].auto_merge
    fake.changes[0].auto_merge, fake.auto_merge_allowed = False, False
    proposed = propose(forge, wanted(fake, auto_merge=True))
    assert proposed.merge == "by-hand"
    assert proposed.remark is not None
    assert proposed.remark.startswith("the merge queue does not take it yet: ")
    assert proposed.remark.endswith("Required status check is expected; run the command again")


@pytest.mark.parametrize("fake", ["gitlab"], indirect=True)
def test_what_gitlab_does_not_merge_yet_stays_open_with_the_reason(fake: FakeForge) -> None:
    fake.status = "not_approved"
    project = Project("gitlab", fake.url, PROJECT, TOKEN, "GITLAB_TOKEN")
    proposed = propose(GitLab(project, patience=0), wanted(fake, auto_merge=True))
    words = f"GitLab {PROJECT} does not merge it yet (not approved): run the command again"
    assert (proposed.merge, proposed.remark, proposed.failure) == ("by-hand", words, None)


# --- a step that fails once the request is there ------------------------------------------------------


@pytest.mark.parametrize(
    "pattern", [r"POST .*/labels|PUT .*/merge_requests/1", r"POST /graphql|GET /api/v4/projects/[^/]*"]
)
def test_a_step_that_fails_later_leaves_the_request_known_and_to_be_finished(
    fake: FakeForge, forge: Forge, pattern: str
) -> None:
    fake.answers.append((pattern, Refused(403, {"message": "Not yours"})))
    proposed = propose(forge, wanted(fake, auto_merge=True))
    assert (proposed.status, proposed.url.endswith("/1")) == ("opened", True)
    assert isinstance(proposed.failure, ForgeError)
    assert "may not do this: Not yours" in str(proposed.failure)
    again = propose(forge, wanted(fake, auto_merge=True))
    assert (again.number, again.merge, again.failure) == (1, "auto", None)
    assert fake.changes[0].labels == ["promotion", "environment/prod"]
    assert len(fake.changes) == 1


def test_a_decision_replaces_no_request(fake: FakeForge, forge: Forge) -> None:
    for number, operation in enumerate(("freeze", "approve", "promote")):
        body = Mark("prod", () if operation == "freeze" else ("shop/catalog",), operation=operation).render()
        fake.add(f"promote/prod/x{number}", "main", operation, body, draft=False)
    mark = Mark("prod", ("shop/catalog",), operation="hold")
    assert propose(forge, wanted(fake, mark=mark, body=mark.render())).superseded == ()
    (replaced,) = propose(forge, wanted(fake, "1.1.0-b")).superseded
    assert replaced.endswith("/3")


def test_the_next_request_for_all_apps_replaces_the_one_before(fake: FakeForge, forge: Forge) -> None:
    both = Mark("prod", ("shop/catalog", "shop/orders"), everything=True)
    propose(forge, wanted(fake, "set-c", mark=both, body=both.render()))
    one = Mark("prod", ("shop/catalog",), everything=True)
    assert len(propose(forge, wanted(fake, mark=one, body=one.render())).superseded) == 1


# --- refusals: one line each ------------------------------------------------------------------------

_CREATE = r"POST .*(pulls|merge_requests)"
_LIST = r"GET .*(pulls|merge_requests)"
_SLOW = {"Retry-After": "3600"}


@pytest.mark.parametrize(
    ("pattern", "answer", "code", "exit_code", "words"),
    [
        pytest.param(_LIST, Refused(401, {"message": "Bad credentials"}), "unauthorized", 2, "is refused", id="401"),
        pytest.param(_CREATE, Refused(403, {"message": "Not yours"}), "forbidden", 2, "may not do this: ", id="403"),
        pytest.param(_LIST, Refused(404, {"message": "Not Found"}), "not-found", 2, "may not see it", id="404"),
        pytest.param(
            _CREATE,
            Refused(422, {"message": "Validation Failed", "errors": [{"message": "No commits between the two"}]}),
            "refused",
            2,
            "refuses: Validation Failed",
            id="422",
        ),
        pytest.param(
            _LIST,
            Refused(429, {"message": "Too many"}, _SLOW),
            "rate-limited",
            2,
            "the rate limit is reached",
            id="429",
        ),
    ],
)
def test_a_refusal_is_one_line_without_the_token(
    fake: FakeForge, forge: Forge, pattern: str, answer: Refused, code: str, exit_code: int, words: str
) -> None:
    fake.answers.append((pattern, answer))
    with pytest.raises(ForgeError) as caught:
        propose(forge, wanted(fake))
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    assert words in str(caught.value)
    assert PROJECT in str(caught.value)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert fake.open() == []


def test_the_rate_limit_of_github_says_when_it_ends(remote: Path) -> None:
    with serve(remote, "github") as fake:
        fake.kind = "github"  # type: ignore[attr-defined]
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}
        fake.answers.append((_LIST, Refused(403, {"message": "API rate limit exceeded for user ID 1."}, headers)))
        with pytest.raises(ForgeError) as caught:
            propose(client(fake), wanted(fake))
    assert caught.value.code == "rate-limited"
    assert str(caught.value) == f"GitHub {PROJECT}: the rate limit is reached; again at 2100-01-01T00:00:00Z"


def test_a_wrong_token_and_a_wrong_project_are_told_apart(fake: FakeForge) -> None:
    codes = []
    for forge in (client(fake, token="wrong"), client(fake, path="example/other")):
        with pytest.raises(ForgeError) as caught:
            propose(forge, wanted(fake))
        codes.append(caught.value.code)
    assert codes == ["unauthorized", "not-found"]


def test_a_failure_that_passes_is_not_noticed(fake: FakeForge, forge: Forge) -> None:
    fake.answers.append((_LIST, Refused(502, {"message": "Bad Gateway"})))
    assert propose(forge, wanted(fake)).status == "opened"


def test_a_forge_that_is_gone_is_unreachable(remote: Path) -> None:
    with serve(remote, "gitlab") as fake:
        request = wanted(fake)
    project = Project("gitlab", f"http://127.0.0.1:{free_port()}", PROJECT, TOKEN, "GITLAB_TOKEN")
    with pytest.raises(ForgeError) as caught:
        propose(GitLab(project, patience=0), request)
    assert (caught.value.code, caught.value.exit_code) == ("unreachable", 2)
    assert "\n" not in str(caught.value)


# --- which forge and project ------------------------------------------------------------------------

_ENV = {"GITHUB_TOKEN": "a", "GITLAB_TOKEN": "b"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/example/shop.git", ("github", "https://api.github.com", "example/shop")),
        ("https://github.com/example/shop/", ("github", "https://api.github.com", "example/shop")),
        ("git@github.com:example/shop.git", ("github", "https://api.github.com", "example/shop")),
        ("ssh://git@ssh.github.com:443/example/shop.git", ("github", "https://api.github.com", "example/shop")),
        ("https://user:secret@github.example.com/a/b", ("github", "https://github.example.com/api/v3", "a/b")),
        ("https://gitlab.com/group/sub/shop.git", ("gitlab", "https://gitlab.com", "group/sub/shop")),
        ("https://gitlab.example.com:8443/a/b.git", ("gitlab", "https://gitlab.example.com:8443", "a/b")),
        ("ssh://git@gitlab.example.com:2222/a/b.git", ("gitlab", "https://gitlab.example.com", "a/b")),
        ("git@gitlab.example.com:group/shop.git", ("gitlab", "https://gitlab.example.com", "group/shop")),
    ],
)
def test_the_remote_says_forge_and_project(url: str, expected: tuple[str, str, str]) -> None:
    found = find_project(url, environ=_ENV)
    assert (found.kind, found.api, found.path) == expected
    assert "secret" not in repr(found)


def test_options_say_what_the_remote_does_not() -> None:
    found = find_project("/srv/git/shop.git", kind="gitlab", path="a/b", api="https://git.example.com", environ=_ENV)
    assert (found.kind, found.api, found.path, found.token_name) == (
        *("gitlab", "https://git.example.com", "a/b"),
        "GITLAB_TOKEN",
    )


def test_a_job_token_serves_where_there_is_no_other() -> None:
    assert find_project("git@gitlab.com:a/b", environ={"CI_JOB_TOKEN": "x"}).token_name == "CI_JOB_TOKEN"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        (
            "https://git.example.com/a/b",
            {},
            "unknown forge at 'git.example.com' (pass --forge github or --forge gitlab)",
        ),
        ("https://github.com/", {}, "the remote's URL 'github.com' names no project (pass --project OWNER/NAME)"),
        ("https://github.com/a/b", {"kind": "gitlub"}, "no forge 'gitlub' (did you mean 'gitlab'?)"),
        ("https://github.com/a/b", {"environ": {}}, "github: no token (set GITHUB_TOKEN or GH_TOKEN)"),
    ],
)
def test_what_can_not_be_told_is_asked_for(url: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CartwrightError) as caught:
        find_project(url, **{"environ": _ENV, **options})
    assert (str(caught.value), caught.value.exit_code) == (message, 2)


def test_the_command_starts_without_the_libraries_of_forges_and_registries() -> None:
    libraries = "('github', 'gitlab', 'requests', 'oras', 'docker')"
    code = f"import sys, cartwright.commands.promote; print([one for one in {libraries} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
