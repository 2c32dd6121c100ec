"""A tree that is made of objects alone is the one that Git makes with an index."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.history import History
from cartwright.history.trees import edited_tree
from cartwright.kernel.errors import UserError

# Names around a slash's place in the alphabet: a folder sorts as if its name ended in one.
_NAME = st.sampled_from(["a", "a.b", "a-b", "a0", "ab", "A", "ä", "z"])
_PATH = st.lists(_NAME, min_size=1, max_size=3).map("/".join)


def git(root: Path, *words: str, **env: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True, env=os.environ | env)
    return done.stdout.strip()


def without_clashes(paths: dict[str, str]) -> dict[str, str | bytes | None]:
    """No path that is a folder of another."""
    return {path: text for path, text in paths.items() if not any(other.startswith(f"{path}/") for other in paths)}


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(_PATH, st.sampled_from(["1", "2"]), min_size=1, max_size=8),
    st.dictionaries(_PATH, st.sampled_from(["3", "4"]), min_size=1, max_size=4),
)
def test_it_is_the_tree_of_an_index(
    tmp_path_factory: pytest.TempPathFactory, algorithm: str, before: dict[str, str], after: dict[str, str]
) -> None:
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "--quiet", "--initial-branch", "main", f"--object-format={algorithm}")
    files = without_clashes({**before, **after})
    history = History()
    kept = {path: text for path, text in files.items() if path in before}
    history.commit({**kept, "zz/link@": "a"}, message="Begin\n", at=1_700_000_000)
    history.write(root, checkout=False)
    changed = {path: str(text) for path, text in files.items() if path in after}
    commit = git(root, "rev-parse", "main")
    entries = {}
    index = {"GIT_INDEX_FILE": str(root / ".git" / "side")}
    git(root, "read-tree", commit, **index)
    for path, text in changed.items():
        (root / "content").write_text(text)
        oid = git(root, "hash-object", "-w", "content")
        entries[path] = ("100644", oid)
        git(root, "update-index", "--add", "--cacheinfo", f"100644,{oid},{path}", **index)
    assert edited_tree(root, root / ".git", commit, entries) == git(root, "write-tree", **index)
    git(root, "fsck", "--strict")


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    history = History()
    history.commit({"a": "1"}, message="Begin\n", at=1_700_000_000)
    (commit,) = history.write(root).values()
    with pytest.raises(UserError, match=r"^a: is a file in commit [0-9a-f]{7}, but a folder is expected$"):
        edited_tree(root, root / ".git", commit, {"a/b": ("100644", git(root, "hash-object", "-w", "a"))})
