"""Both kinds of trees give the same answers for the same files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cartwright.history.git import Head
from cartwright.history.snapshot import CommitTree, commit_tree
from cartwright.kernel.errors import UserError
from cartwright.tree.repository import FolderTree, Tree

_FILES = {
    "README.md": "read me\n",
    "apps/shop/catalog/deployment.yaml": "kind: Deployment\n",
    "apps/shop/catalog/kustomization.yaml": "kind: Kustomization\n",
    "apps/shop-two/x.yaml": "kind: X\n",
    "apps/a.yaml": "kind: A\n",
    "apps/.hidden/b.yaml": "kind: B\n",
    "environments/dev/shop/catalog/.kept": "",
    "environments/dev/shop/catalog/kustomization.yaml": "kind: Kustomization\n",
    "environments/prod/data/redis/kustomization.yaml": "kind: Kustomization\n",
    "services/kit/grüße.txt": "größer\n",
}


def _git(root: Path, *words: str) -> str:
    identity = ["-c", "user.name=Platform Team", "-c", "user.email=platform-team@example.com"]
    return subprocess.run(
        ["git", *identity, *words], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of these files and one that is not UTF-8."""
    root = tmp_path_factory.mktemp("trees")
    for path, text in _FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    (root / "apps/latin.yaml").write_bytes(b"name: gr\xfc\xdfe\n")
    _git(root, "init", "--quiet")
    _git(root, "add", "--all", "--force")
    _git(root, "commit", "--quiet", "--message=Files")
    return root


@pytest.fixture(params=["folder", "commit", "opened commit"])
def tree(request: pytest.FixtureRequest, root: Path) -> Tree:
    """The same files as each kind of tree."""
    if request.param == "folder":
        return FolderTree(root=root)
    commit = _git(root, "rev-parse", "HEAD")
    if request.param == "commit":
        return CommitTree(repository=root, commit=commit)
    return commit_tree(root, Head(branch=None, commit=commit))


def test_files_are_read(tree: Tree) -> None:
    assert {path: tree.text(path) for path in _FILES} == _FILES
    assert tree.read("services/kit/grüße.txt") == "größer\n".encode()


def test_a_hash_tells_contents_apart(tree: Tree) -> None:
    same = ("apps/shop/catalog/kustomization.yaml", "environments/prod/data/redis/kustomization.yaml")
    assert tree.hash(same[0]) == tree.hash(same[1]) != tree.hash("README.md")
    assert tree.hash("apps/none.yaml") is None


@pytest.mark.parametrize("path", ["apps/none.yaml", "none", "apps/shop", "environments/dev/none"])
def test_what_is_no_file_is_refused(tree: Tree, path: str) -> None:
    assert not tree.is_file(path)
    with pytest.raises(UserError, match=rf"^{path}: "):
        tree.read(path)


def test_a_file_of_another_encoding_is_refused(tree: Tree) -> None:
    with pytest.raises(UserError, match=r"^apps/latin\.yaml: is not UTF-8 \(byte 8\) \(save it as UTF-8\)$"):
        tree.text("apps/latin.yaml")


def test_folders_are_told_from_files(tree: Tree) -> None:
    folders = ["apps", "apps/shop", "environments/prod", "services/kit", "services"]
    assert [path for path in (*folders, *_FILES, "apps/none", "environments/none") if tree.is_dir(path)] == folders


def test_a_walk_is_complete_and_leaves_out_hidden_files(tree: Tree) -> None:
    assert list(tree.walk("apps")) == [
        "apps/a.yaml",
        "apps/latin.yaml",
        "apps/shop/catalog/deployment.yaml",
        "apps/shop/catalog/kustomization.yaml",
        "apps/shop-two/x.yaml",
    ]
    assert list(tree.walk("environments/dev")) == ["environments/dev/shop/catalog/kustomization.yaml"]
    assert list(tree.walk("services")) == ["services/kit/grüße.txt"]
    assert list(tree.walk("none")) == []


def test_folders_below_a_folder_are_named(tree: Tree) -> None:
    assert tree.folders("environments") == ["dev", "prod"]
    assert tree.folders("services") == ["kit"]
    assert tree.folders("none") == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("apps/*/*", ["apps/shop/catalog"]),
        ("environments/*/shop/*", ["environments/dev/shop/catalog"]),
        ("environments/prod/*", ["environments/prod/data"]),
        ("none/*", []),
    ],
)
def test_a_star_matches_one_folder(tree: Tree, pattern: str, found: list[str]) -> None:
    assert tree.match_folders(pattern) == found
