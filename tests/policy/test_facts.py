"""Facts from Git: which digests an environment has ever pinned, and how each came there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cartwright.policy.facts import read_facts
from cartwright.tree.repository import FolderTree

_DIGESTS = {letter: f"sha256:{letter * 64}" for letter in "abc"}
_IMAGE = "ghcr.io/example/cartwright/catalog"
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Platform Team",
    "GIT_AUTHOR_EMAIL": "platform-team@example.com",
    "GIT_COMMITTER_NAME": "Platform Team",
    "GIT_COMMITTER_EMAIL": "platform-team@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, env={**os.environ, **_AUTHOR})


def _pin(root: Path, letter: str, message: str, *, environment: str = "prod") -> None:
    file = root / "environments" / environment / "shop" / "catalog" / "kustomization.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"images:\n  - name: {_IMAGE}\n    newTag: 1.{ord(letter)}.0\n    digest: {_DIGESTS[letter]}\n",
        encoding="utf-8",
    )
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", message)


def test_a_digest_keeps_its_history_under_the_images_new_name(root: Path) -> None:
    _pin(root, "b", "Change by hand", environment="dev")
    names = "organisation: a\nrepository: https://git.test/a\nregistry: registry.test/a\n"
    (root / "names.yaml").write_text(names + "formerly: [{registry: ghcr.io/example/cartwright}]\n")
    history = read_facts(FolderTree(root), use_cache=False)["history"]
    assert history["dev"] == {"registry.test/a/catalog": sorted([_DIGESTS["a"], _DIGESTS["b"]])}
    (root / "names.yaml").write_text(names)
    assert list(read_facts(FolderTree(root), use_cache=False)["history"]["dev"]) == [_IMAGE]


def _trailers(letter: str, *extra: str, app: str = "shop/catalog", target: str = "prod") -> str:
    lines = ["Promoted-From: staging", f"Promoted-To: {target}", f"App: {app}", f"Release: 1.{ord(letter)}.0"]
    return "\n".join(["Promote", "", *lines, f"Digest: {_DIGESTS[letter]}", *extra])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose prod began with the digest a."""
    root = tmp_path / "repository"
    root.mkdir()
    _git(root, "init", "-q", "-b", "main")
    _pin(root, "a", "Begin")
    return root


def _entry(root: Path, environment: str = "prod") -> tuple[str, str]:
    [entry] = read_facts(FolderTree(root), use_cache=False)["record"][environment][_IMAGE]
    assert entry["app"] == "shop/catalog"
    return entry["digest"][7], entry["origin"]


def test_the_first_digest_is_where_the_record_begins(root: Path) -> None:
    assert _entry(root) == ("a", "import")


@pytest.mark.parametrize(
    ("message", "origin"),
    [
        pytest.param(_trailers("b"), "promotion", id="promotion"),
        pytest.param(_trailers("b", "Rollback-Reason: it leaked"), "promotion", id="rollback"),
        pytest.param(_trailers("b", "Break-Glass: Platform Team: the shop is down"), "break-glass", id="break-glass"),
        pytest.param("Try the new one", "hand", id="no-trailers"),
        pytest.param(_trailers("c"), "hand", id="trailers-of-another-digest"),
        pytest.param(_trailers("b", app="shop/orders"), "hand", id="trailers-of-another-app"),
        pytest.param(_trailers("b", target="staging"), "hand", id="trailers-of-another-environment"),
    ],
)
def test_the_newest_commit_that_changed_a_digest_says_how_it_came(root: Path, message: str, origin: str) -> None:
    _pin(root, "b", message)
    assert _entry(root) == ("b", origin)


def test_a_commit_that_changes_no_digest_says_nothing(root: Path) -> None:
    _pin(root, "b", _trailers("b"))
    file = root / "environments/prod/shop/catalog/kustomization.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# a note\n", encoding="utf-8")
    _git(root, "commit", "-q", "-am", "Tidy")
    assert _entry(root) == ("b", "promotion")


def test_removing_an_overlay_and_bringing_it_back_makes_no_new_beginning(root: Path) -> None:
    _git(root, "rm", "-rq", "environments/prod/shop/catalog")
    _git(root, "commit", "-q", "-m", "Remove")
    assert read_facts(FolderTree(root), use_cache=False)["record"] == {}
    _pin(root, "c", "And back")
    assert _entry(root) == ("c", "hand")


def test_history_has_every_digest_of_every_environment(root: Path) -> None:
    _pin(root, "b", "b")
    _pin(root, "c", "c", environment="staging")
    history = read_facts(FolderTree(root), use_cache=False)["history"]
    assert history == {
        "prod": {_IMAGE: [_DIGESTS["a"], _DIGESTS["b"]]},
        # What the first commit brought anywhere has a history that is not here: it counts everywhere.
        "staging": {_IMAGE: [_DIGESTS["a"], _DIGESTS["c"]]},
    }


def test_facts_are_those_of_the_ref_that_is_checked(root: Path) -> None:
    _pin(root, "b", "b")
    before = read_facts(FolderTree(root, ref="HEAD~1"), use_cache=False)
    assert before["history"] == {"prod": {_IMAGE: [_DIGESTS["a"]]}}
    assert read_facts(FolderTree(root / "environments", ref="HEAD~1", repository=root), use_cache=False) == before


def test_without_git_there_are_no_facts(tmp_path: Path) -> None:
    assert read_facts(FolderTree(tmp_path)) == {}


def test_a_history_that_is_cut_off_is_none(root: Path, tmp_path: Path) -> None:
    _pin(root, "b", "b")
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{root}", "shallow")
    assert read_facts(FolderTree(tmp_path / "shallow"), use_cache=False) == {"shallow": True}
