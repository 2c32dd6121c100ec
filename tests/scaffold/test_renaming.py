"""``cartwright init``: a fork gets its owner's names in one command, everywhere, and again under other names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.measure import cache_with_tools
from cartwright.history.baseline import SCHEMA, read_accepted
from cartwright.images.inputs import files
from cartwright.kernel.errors import UserError
from cartwright.scaffold.renaming import find_renames
from cartwright.tree.names import Names, read_names
from cartwright.tree.repository import open_tree

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST = Names(organisation="first", repository="https://git.first.test/a/shop", registry="first.test:5000/shop")
SECOND = Names(organisation="second", repository="https://second.test/shop", registry="images.second.test/b/shop")
NAMES = """\
# Comments stay.
organisation: first  # who
repository: https://git.first.test/a/shop
registry: "first.test:5000/shop"
"""
TEXTS = {
    ".github/CODEOWNERS": "* @first/platform-team  # mail first@first.test, not @firstling/team\r\n",
    "argocd/root.yaml": "url: https://git.first.test/a/shop.git # https://git.first.test/a/shop\nother: https://git.first.test/a/shop2\n",
    "apps/image.yaml": "a: first.test:5000/shop/web\nb: first.test:5000/shop-old/web\nc: docker.io/library/redis\n",
    "ci.yml": "run: |\n  skopeo copy docker://first.test:5000/shop/web:1 dir:x\n",
    "docs/x.md": "See https://git.first.test/a/shop/blob/main/x.md and `first.test:5000/shop`.\n",
}


def git(root: Path, *words: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", root, *words], check=True, capture_output=True, env=environment)


def content(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in files(root, ["."])}


def put(root: Path, texts: dict[str, str]) -> Path:
    for path, text in {"names.yaml": NAMES, **texts}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    git(root, "init", "-q")
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository of a few files that name its owner."""
    return put(tmp_path / "small", TEXTS)


def cartwright(root: Path, names: Names, **other: str) -> subprocess.CompletedProcess[str]:
    values = {"org": names.organisation, "repo": names.repository, "registry": names.registry, **other}
    words = [word for key, value in values.items() for word in (f"--{key}", value)]
    command = [str(Path(sys.executable).with_name("cartwright")), "init", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_every_name_changes_and_every_other_byte_stays(small: Path) -> None:
    done = cartwright(small, SECOND)
    assert (done.returncode, done.stderr) == (0, "")
    assert content(small) == {
        ".github/CODEOWNERS": b"* @second/platform-team  # mail first@first.test, not @firstling/team\r\n",
        "argocd/root.yaml": b"url: https://second.test/shop.git # https://second.test/shop\n"
        b"other: https://git.first.test/a/shop2\n",
        "apps/image.yaml": b"a: images.second.test/b/shop/web\nb: first.test:5000/shop-old/web\n"
        b"c: docker.io/library/redis\n",
        "ci.yml": b"run: |\n  skopeo copy docker://images.second.test/b/shop/web:1 dir:x\n",
        "docs/x.md": b"See https://second.test/shop/blob/main/x.md and `images.second.test/b/shop`.\n",
        "names.yaml": b"# Comments stay.\norganisation: second  # who\nrepository: https://second.test/shop\n"
        b'registry: "images.second.test/b/shop"\nformerly:\n  - registry: first.test:5000/shop\n',
    }
    lines = done.stdout.splitlines()
    assert lines[:7] == [*(f"changed {path}" for path in sorted(content(small))), "6 files changed"]
    assert lines[7] == "left to do by hand (docs/fork.md says how):"


def test_the_same_names_again_change_nothing(small: Path) -> None:
    cartwright(small, SECOND)
    before = content(small)
    assert cartwright(small, SECOND).stdout.splitlines()[0] == "nothing to change: these are its names already"
    assert content(small) == before


def test_git_behind_the_address_makes_no_difference(small: Path) -> None:
    cartwright(small, SECOND, repo=f"{SECOND.repository}.git")
    assert read_names(open_tree(small)).repository == SECOND.repository


def test_the_first_names_come_back_as_they_were(small: Path) -> None:
    before = content(small)
    cartwright(small, SECOND)
    cartwright(small, FIRST)
    after = content(small)
    assert read_names(open_tree(small)).former == (SECOND.registry,)
    assert {**after, "names.yaml": b""} == {**before, "names.yaml": b""}


words = st.sampled_from(
    [
        FIRST.repository,
        FIRST.registry,
        f"@{FIRST.organisation}/",
        "first",
        ".git",
        "/",
        "-",
        ".",
        "x",
        " ",
        "\n",
        "é",
        "@",
    ]
)


@settings(deadline=None, max_examples=100)
@given(st.lists(words, max_size=12).map("".join))
@example(f"{FIRST.repository}@first/")
def test_there_and_back_is_the_same_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = put(tmp_path_factory.mktemp("any"), {"any.md": text})
    for names in (SECOND, FIRST):
        for path, renamed in find_renames(root, names).items():
            (root / path).write_bytes(renamed.encode())
    assert (root / "any.md").read_bytes().decode() == text


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("org", "a b", "'a b' is not the name of an organisation (such as example)"),
        ("org", "", "'' is not the name of an organisation (such as example)"),
        ("org", "a\n", "is not the name of an organisation (such as example)"),
        ("repo", "git@host:a/b", "'git@host:a/b' is not the HTTPS address of a repository"),
        ("repo", "https://host", "'https://host' is not the HTTPS address of a repository"),
        ("repo", "https://a:b@host/c", "'https://a:b@host/c' is not the HTTPS address of a repository"),
        ("repo", "https://host/a?b", "'https://host/a?b' is not the HTTPS address of a repository"),
        ("registry", "shop", "'shop' is not a registry and a path in lower case"),
        ("registry", "acme/shop", "'acme/shop' is not a registry and a path in lower case"),
        ("registry", "ghcr.io/Acme", "'ghcr.io/Acme' is not a registry and a path in lower case"),
        ("registry", "https://ghcr.io/acme", "'https://ghcr.io/acme' is not a registry and a path in lower case"),
        ("registry", "ghcr.io/acme/", "'ghcr.io/acme/' is not a registry and a path in lower case"),
        ("registry", "docker.io/library", "apps/image.yaml:3: 'docker.io/library' stands here for something else"),
    ],
)
def test_a_bad_value_is_one_line_and_changes_nothing(small: Path, option: str, value: str, message: str) -> None:
    before = content(small)
    done = cartwright(small, SECOND, **{option: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.replace("\\n", "")
    assert len(done.stderr.splitlines()) == 1 + value.count("\n")
    assert content(small) == before


def test_a_file_that_cannot_be_written_leaves_all_as_it_was(small: Path) -> None:
    before = content(small)
    renamed = find_renames(small, SECOND)
    assert len(renamed) == 6
    # A file that is not YAML fails before anything is written.
    (small / "broken.yaml").write_text("a: [first.test:5000/shop/web\n")
    done = cartwright(small, SECOND)
    assert done.returncode == 2
    assert "broken.yaml:" in done.stderr
    (small / "broken.yaml").unlink()
    assert content(small) == before


def test_the_change_is_committed_and_the_record_accepts_it(small: Path) -> None:
    record = "environments/record.yaml"
    schema = (REPOSITORY / SCHEMA).read_text(encoding="utf-8")
    put(small, {record: "baseline: {reason: Begin}\n", SCHEMA: schema})
    for name, value in (("name", "Ann"), ("email", "ann@example.com")):
        git(small, "config", f"user.{name}", value)
    git(small, "add", "--all")
    git(small, "commit", "--quiet", "--message", "Begin")
    (small / "untouched.md").write_text("of somebody who works here\n")
    (small / "docs/x.md").write_text("https://git.first.test/a/shop\n")
    before = content(small)
    done = cartwright(small, SECOND)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("error: docs/x.md: has changes that are not committed (commit them or put them aside)\n")
    assert content(small) == before
    git(small, "checkout", "docs/x.md")
    assert "committed: Names of second\n" in cartwright(small, SECOND).stdout
    log = subprocess.run(
        ["git", "-C", small, "log", "--format=%H %s"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    accepted, renamed = (line.partition(" ") for line in log[:2])
    assert (accepted[2], renamed[2]) == ("The commit that changed the names is accepted", "Names of second")
    assert read_accepted(open_tree(small)) == {
        renamed[0]: "Ann: The repository got other names (cartwright init), in the releases too."
    }


def test_a_repository_without_names_is_told_so(small: Path) -> None:
    (small / "names.yaml").unlink()
    with pytest.raises(UserError, match=r"names\.yaml"):
        find_renames(small, SECOND)


@pytest.mark.slow
def test_this_repository_passes_its_checks_under_other_names(tmp_path: Path) -> None:
    root = tmp_path / "fork"
    subprocess.run(["git", "clone", "-q", "--no-local", REPOSITORY, root], check=True, capture_output=True)
    for path in files(root, ["."]):
        (root / path).unlink()
    for path in files(REPOSITORY, ["."]):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / path, root / path)
    for name, value in (("name", "Platform Team"), ("email", "platform-team@example.com")):
        git(root, "config", f"user.{name}", value)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "As it is in the work tree")
    modes = {path: (root / path).stat().st_mode for path in files(root, ["."])}
    before = read_names(open_tree(root))
    # Composed, so that this file does not hold them: a name that stands somewhere is refused.
    host = ".".join(("third", "test"))
    wanted = Names(organisation="third", repository=f"https://{host}/shop", registry=f"{host}:5000/shop")
    done = cartwright(root, wanted)
    assert (done.returncode, done.stderr) == (0, "")
    old = re.compile(rf"{re.escape(before.registry)}/|{re.escape(before.repository)}\b".encode())
    assert [path for path, text in content(root).items() if path != "names.yaml" and old.search(text)] == []
    assert {path: (root / path).stat().st_mode for path in modes} == modes
    environment = {**os.environ, **cache_with_tools(tmp_path / "cache")}
    command = str(Path(sys.executable).with_name("cartwright"))
    for words in ("check", "promote verify", "networkpolicies --check", "policy build --check", "policy docs --check"):
        made = subprocess.run(
            [command, *words.split()], cwd=root, capture_output=True, text=True, env=environment, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr
