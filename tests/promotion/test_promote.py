"""``cartwright promote`` on a real Git repository: exit code, stdout and stderr apart, and what Git holds then."""

from __future__ import annotations

import json
import multiprocessing
import re
from pathlib import Path
from typing import Any

import pytest

from cartwright.cluster.find import find_hub
from cartwright.kernel.errors import Blocked
from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import Promote
from cartwright.promotion.land import worktree as worktree_module
from cartwright.promotion.land.deliver import Result, deliver
from cartwright.promotion.land.worktree import WorkTree
from tests.promotion.conftest import APP, IMAGE, NEW, OLD, Repository, kustomization

pytestmark = pytest.mark.slow

FILE = f"environments/staging/{APP}/kustomization.yaml"


def promote(root: Path, app: str, *, source: str, target: str) -> Result:
    """Promote in this process, onto the work tree's branch."""
    return deliver(
        root,
        Promote(apps=(app,), source=source, target=target),
        destination=WorkTree(root=root),
        sources=Sources(health=find_hub(root), signatures=lambda image, *, key: None),
    )


def trailers(repository: Repository) -> list[str]:
    message = repository.git("show", "--no-patch", "--format=%(trailers)", "HEAD")
    return [line for line in message.splitlines() if line]


# --- what it does -----------------------------------------------------------------------------------


def test_one_commit_moves_tag_and_digest_and_leaves_every_other_byte(repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    ended = repository.promote()
    assert (ended.code, ended.stderr) == (0, "")
    assert re.search(r"^committed [0-9a-f]{7} on main", ended.stdout, re.MULTILINE)
    expected = kustomization(tag="1.1.0", digest=NEW)
    assert repository.overlay("staging").read_text() == expected
    assert repository.git("show", f"HEAD:{FILE}") == expected
    assert repository.git("rev-parse", "HEAD^") == head
    assert repository.git("show", "--name-only", "--format=", "HEAD").split() == [FILE]
    assert repository.git("status", "--porcelain") == ""
    assert trailers(repository) == [
        "Promoted-From: dev",
        "Promoted-To: staging",
        f"App: {APP}",
        "Release: 1.1.0",
        f"Digest: {NEW}",
        "Gates: upstream=passed soak=not-asked health=not-asked verification=not-asked approvals=not-asked "
        "registry=not-asked signatures=not-asked hold=passed freeze=passed",
    ]
    assert repository.git("log", "-1", "--format=%s").strip() == f"Promote {APP} 1.1.0 from dev to staging"


def test_nothing_to_move_says_so_and_commits_nothing(repository: Repository) -> None:
    repository.promote()
    head = repository.git("rev-parse", "HEAD")
    ended = repository.promote()
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == f"{APP}: staging runs 1.1.0 of dev already, nothing to move\n"
    assert repository.git("rev-parse", "HEAD") == head


def test_json_states_the_release_the_changes_and_the_commit(repository: Repository) -> None:
    ended = repository.promote("--format", "json", app=APP)
    data = json.loads(ended.stdout)
    assert data["commit"] == repository.git("rev-parse", "HEAD").strip()
    assert data["base"] == repository.git("rev-parse", "HEAD^").strip()
    assert {
        key: data[key] for key in ("version", "operation", "status", "from", "to", "files", "branch", "objects")
    } == {
        "version": 2,
        "operation": "promote",
        "status": "promoted",
        "from": "dev",
        "to": "staging",
        "files": [FILE],
        "branch": "main",
        "objects": None,
    }
    assert data["message"] == repository.git("log", "-1", "--format=%B").rstrip("\n") + "\n"
    (app,) = data["apps"]
    assert (app["app"], app["file"]) == (APP, FILE)
    assert app["release"] == [{"image": IMAGE, "tag": "1.1.0", "digest": NEW}]
    assert app["changes"] == [
        {"image": IMAGE, "key": "newTag", "line": 11, "old": "1.0.0", "new": "1.1.0"},
        {"image": IMAGE, "key": "digest", "line": 9, "old": OLD, "new": NEW},
    ]


def test_a_dry_run_shows_the_objects_that_change_and_writes_nothing(repository: Repository) -> None:
    before = (repository.git("rev-parse", "HEAD"), repository.git("count-objects", "-v"))
    ended = repository.promote("--dry-run")
    assert (ended.code, ended.stderr) == (0, "")
    assert f"{FILE}:11  newTag  1.0.0 → 1.1.0" in ended.stdout
    assert "changed Deployment.apps shop/app-000" in ended.stdout
    assert f"-        image: {IMAGE}:1.0.0@{OLD}".replace(" ", "") in ended.stdout.replace(" ", "")
    assert f"+        image: {IMAGE}:1.1.0@{NEW}".replace(" ", "") in ended.stdout.replace(" ", "")
    assert ended.stdout.endswith("1 object changes, nothing was written (dry run)\n")
    assert "\x1b" not in ended.stdout
    assert (repository.git("rev-parse", "HEAD"), repository.git("count-objects", "-v")) == before
    assert repository.git("status", "--porcelain") == ""
    data = json.loads(repository.promote("--dry-run", "--format", "json").stdout)
    assert (data["status"], data["commit"]) == ("planned", None)
    assert [(one["kind"], one["name"], one["change"]) for one in data["objects"]] == [
        ("Deployment", "app-000", "changed")
    ]


def test_line_endings_byte_order_mark_and_missing_final_newline_are_kept(repository: Repository) -> None:
    def written(tag: str, digest: str) -> bytes:
        return b"\xef\xbb\xbf" + kustomization(tag=tag, digest=digest).rstrip("\n").replace("\n", "\r\n").encode()

    repository.overlay("staging").write_bytes(written("1.0.0", OLD))
    repository.git("config", "core.autocrlf", "false")
    repository.commit()
    assert repository.promote().code == 0
    assert repository.overlay("staging").read_bytes() == written("1.1.0", NEW)
    assert repository.git("status", "--porcelain") == ""


def test_a_file_that_git_checks_out_with_other_line_endings_stays_so(repository: Repository) -> None:
    (repository.root / ".gitattributes").write_text("*.yaml text eol=crlf\n")
    repository.commit()
    repository.git("rm", "--cached", "-r", "--quiet", "environments")
    repository.git("reset", "--hard", "--quiet")
    assert b"\r\n" in repository.overlay("staging").read_bytes()
    assert repository.promote().code == 0
    assert (
        repository.overlay("staging").read_bytes()
        == kustomization(tag="1.1.0", digest=NEW).replace("\n", "\r\n").encode()
    )
    assert repository.git("status", "--porcelain") == ""


def test_an_executable_file_stays_executable(repository: Repository) -> None:
    repository.overlay("staging").chmod(0o755)
    repository.commit()
    assert repository.promote().code == 0
    assert repository.git("ls-tree", "HEAD", FILE).startswith("100755 ")
    assert repository.git("status", "--porcelain") == ""


# --- other work in progress -------------------------------------------------------------------------


def test_staged_and_unstaged_work_elsewhere_stays_exactly_as_it_was(repository: Repository) -> None:
    (repository.root / "staged.txt").write_text("staged")
    repository.git("add", "staged.txt")
    repository.overlay("prod").write_text("# not committed\n")
    repository.overlay("dev").write_text(kustomization(tag="9.9.9", digest="sha256:" + "9" * 64))
    (repository.root / "untracked.txt").write_text("untracked")
    before = repository.git("status", "--porcelain")
    assert repository.promote().code == 0
    assert repository.git("status", "--porcelain") == before
    assert repository.git("show", "--name-only", "--format=", "HEAD").split() == [FILE]
    assert "newTag: 1.1.0" in repository.overlay("staging").read_text(), "read from the commit, not the work tree"


@pytest.mark.parametrize("staged", [False, True], ids=["in the work tree", "in the index"])
def test_uncommitted_changes_of_the_very_file_are_refused(repository: Repository, staged: bool) -> None:
    changed = repository.overlay("staging").read_text() + "# mine\n"
    repository.overlay("staging").write_text(changed)
    if staged:
        repository.git("add", FILE)
    head = repository.git("rev-parse", "HEAD")
    ended = repository.promote()
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == f"error: {FILE}: has uncommitted changes: commit or drop them first\n"
    assert repository.git("rev-parse", "HEAD") == head
    assert repository.overlay("staging").read_text() == changed


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["app-0000", "--from", "dev", "--to", "staging"], "no app 'app-0000' (did you mean 'app-000'?)", id="app"
        ),
        pytest.param(
            ["shop/app-0000", "--from", "dev", "--to", "staging"],
            "no app 'shop/app-0000' (did you mean 'shop/app-000'?)",
            id="app with group",
        ),
        pytest.param(
            ["app-000", "--from", "dev", "--to", "stagin"],
            "no environment 'stagin' (did you mean 'staging'?)",
            id="environment",
        ),
        pytest.param(
            ["app-000", "--from", "dev", "--to", "prod"],
            "environments/prod/environment.yaml: can't promote from dev to prod (prod takes releases from staging)",
            id="an environment left out",
        ),
        pytest.param(
            ["app-000", "--from", "staging", "--to", "dev"],
            "environments/dev/environment.yaml: can't promote from staging to dev (dev has no upstream)",
            id="backwards",
        ),
        pytest.param(
            ["app-000", "--from", "dev", "--to", "staging", "--format", "jsn"],
            "no format 'jsn' (did you mean 'json'?)",
            id="format",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(repository: Repository, words: list[str], message: str) -> None:
    ended = repository.run("promote", *words)
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", f"error: {message}\n")


REFUSED = {
    "source without digest": (
        "dev",
        (f'  - digest: "{NEW}"   # of the build below\n    name', "  - name"),
        "9: .*has no digest, so it can't be promoted",
    ),
    "source tag is a number": ("dev", ("1.1.0", "1.10"), "11: .*newTag 1.10 is not text in YAML"),
    "source digest malformed": ("dev", (NEW, "sha256:12"), "9: .*'sha256:12' is not a digest"),
    "entry missing in target": ("dev", (IMAGE, "other"), f"{FILE}: images has no entry 'other'"),
    "target without newTag": (
        "staging",
        ("    newTag: 1.0.0  # first form\n", ""),
        r"9: images\[0\].newTag is not there",
    ),
    "target tag anchored": (
        "staging",
        ("newTag: 1.0.0", "newTag: &t 1.0.0\n    newName: *t"),
        "11: anchor &t is used again in line 12",
    ),
    "two entries of one name": (
        "staging",
        ("images:\n", f"images:\n  - {{name: {IMAGE}, newTag: a}}\n"),
        f"10: images has '{IMAGE}' in line 8 already",
    ),
    "entry without name": ("staging", ("images:\n", "images:\n  - {newTag: a}\n"), r"8: images\[0\] has no name"),
    "key twice": (
        "staging",
        ("kind: K", "namespace: a\nkind: K"),
        "the key 'namespace' is already in line 3",
    ),
}


@pytest.mark.parametrize(("environment", "change", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_promoted_is_refused_with_file_line_and_reason(
    repository: Repository, environment: str, change: tuple[str, str], message: str
) -> None:
    overlay = repository.overlay(environment)
    assert change[0] in overlay.read_text()
    overlay.write_text(overlay.read_text().replace(*change))
    head = repository.commit()
    ended = repository.promote()
    assert (ended.code, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert re.search(message, ended.stderr), ended.stderr
    assert repository.git("rev-parse", "HEAD").strip() == head


def test_a_tag_that_yaml_could_misread_arrives_quoted(repository: Repository) -> None:
    repository.overlay("dev").write_text(kustomization(tag="'1.10'", digest=NEW))
    repository.commit()
    assert repository.promote().code == 0
    assert '    newTag: "1.10"  # first form\n' in repository.overlay("staging").read_text()


def test_a_missing_identity_is_one_clear_line(repository: Repository) -> None:
    repository.git("config", "--unset", "user.email")
    head = repository.git("rev-parse", "HEAD")
    ended = repository.promote()
    assert (ended.code, ended.stdout) == (2, "")
    expected = "error: git does not know who commits (set `git config user.name` and `git config user.email`)\n"
    assert ended.stderr == expected
    assert repository.git("rev-parse", "HEAD") == head


def test_a_detached_head_and_an_unfinished_merge_are_refused(repository: Repository) -> None:
    (repository.root / ".git/MERGE_HEAD").write_text(repository.git("rev-parse", "HEAD"))
    ended = repository.promote()
    assert (ended.code, ended.stderr) == (1, "error: a merge is under way: end it first\n")
    (repository.root / ".git/MERGE_HEAD").unlink()
    repository.git("checkout", "--quiet", "--detach")
    ended = repository.promote()
    assert ended.code == 2
    assert ended.stderr.startswith("error: HEAD is detached at ")


def test_a_symbolic_link_and_bytes_that_are_no_text_are_refused(repository: Repository) -> None:
    overlay = repository.overlay("staging")
    overlay.rename(overlay.with_name("real.yaml"))
    overlay.symlink_to("real.yaml")
    repository.commit()
    assert repository.promote().stderr == f"error: {FILE}: is a symbolic link; promotion edits only plain files\n"
    overlay.unlink()
    overlay.write_bytes(kustomization().encode() + b"# \xff\n")
    repository.commit()
    ended = repository.promote()
    assert (ended.code, ended.stderr) == (2, f"error: {FILE}: is not UTF-8 (byte 366) (save it as UTF-8)\n")


# --- races in one work tree (kills: test_faults.py; remotes: test_races.py) -----------------------------


def test_a_commit_that_comes_between_is_kept_and_the_promotion_follows_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = worktree_module.git
    raced: list[str] = []

    def race(root: Path, *words: str, **options: Any) -> Any:
        if words[0] == "update-ref" and not raced:
            repository.overlay("dev").write_text(kustomization(tag="1.2.0", digest="sha256:" + "2" * 64))
            raced.append(repository.commit("A newer release in dev"))
        return real(root, *words, **options)

    monkeypatch.setattr(worktree_module, "git", race)
    result = promote(repository.root, APP, source="dev", target="staging")
    assert result.plan.moves[0].release.tags == ("1.2.0",), "the intent is planned again on the new commit"
    assert result.attempts == 2
    assert repository.git("rev-parse", "HEAD", "HEAD^").split() == [result.commit, raced[0]]
    assert repository.git("status", "--porcelain") == ""


def test_a_release_that_came_between_is_not_replaced(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    real = worktree_module.git
    raced: list[str] = []

    def race(root: Path, *words: str, **options: Any) -> Any:
        if words[0] == "update-ref" and not raced:
            repository.overlay("staging").write_text(kustomization(tag="1.3.0", digest="sha256:" + "3" * 64))
            raced.append(repository.commit("Another release in staging"))
        return real(root, *words, **options)

    monkeypatch.setattr(worktree_module, "git", race)
    with pytest.raises(Blocked) as refused:
        promote(repository.root, APP, source="dev", target="staging")
    assert str(refused.value) == (
        f"staging got 1.3.0 of {APP} meanwhile by Platform Team <platform-team@example.com>, commit {raced[0][:7]}: "
        "1.1.0 was not promoted over it; run it again if it should be"
    )
    assert repository.git("rev-parse", "HEAD").strip() == raced[0]


def _promote(arguments: tuple[Path, str]) -> str | None:
    root, app = arguments
    return promote(root, app, source="dev", target="staging").commit


def test_two_runs_at_once_both_land_one_after_the_other(repository: Repository) -> None:
    other = "shop/app-001"
    for environment, tag, digest in (("dev", "1.1.0", NEW), ("staging", "1.0.0", OLD)):
        text = kustomization(tag=tag, digest=digest).replace("app-000", "app-001")
        repository.overlay(environment, other).write_text(text)
    repository.commit()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        commits = pool.map(_promote, [(repository.root, APP), (repository.root, other)])
    assert set(repository.git("rev-list", "-2", "HEAD").split()) == set(commits)
    assert repository.git("status", "--porcelain") == ""
