"""What an image is made of decides its key, and its key is in its tag."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cartwright.images.base import Base
from cartwright.images.inputs import pick_services, read_source
from cartwright.kernel.errors import UserError
from tests.images.conftest import ROOT, commit, git

SERVICES = ("catalog", "gateway", "orders")


def keys(root: Path, base: Base) -> dict[str, str]:
    return {name: read_source(root, name, base=base, release=False).key for name in SERVICES}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name in SERVICES if before[name] != after[name]]


@pytest.mark.parametrize(
    ("file", "concerned"),
    [
        ("services/orders/src/orders/app.py", ["orders"]),
        ("services/orders/pyproject.toml", ["orders"]),
        ("services/orders/src/orders/new.py", ["orders"]),
        ("services/kit/src/cartwright_kit/app.py", list(SERVICES)),
        ("services/kit/pyproject.toml", list(SERVICES)),
        ("services/Containerfile", list(SERVICES)),
        ("requirements.lock", list(SERVICES)),
        ("services/orders/tests/test_new.py", []),
        ("services/orders/src/orders/__pycache__/app.pyc", []),
        ("README.md", []),
    ],
)
def test_a_key_changes_with_what_the_image_is_made_of_and_with_nothing_else(
    repository: Path, base: Base, file: str, concerned: list[str]
) -> None:
    before = keys(repository, base)
    assert len(set(before.values())) == len(SERVICES)
    (repository / file).parent.mkdir(parents=True, exist_ok=True)
    with (repository / file).open("a", encoding="utf-8") as stream:
        stream.write("# more\n")
    assert changed(before, keys(repository, base)) == concerned


def test_a_key_changes_with_the_base_and_with_a_file_that_goes(repository: Path, base: Base) -> None:
    before = keys(repository, base)
    assert changed(before, keys(repository, replace(base, identity="1" * 64))) == list(SERVICES)
    (repository / "services/orders/src/orders/catalog.py").unlink()
    assert changed(before, keys(repository, base)) == ["orders"]


def test_a_commit_that_changes_no_source_changes_nothing(repository: Path, base: Base) -> None:
    before = read_source(repository, "orders", base=base, release=False)
    (repository / "README.md").write_text("# Shop\n", encoding="utf-8")
    commit(repository)
    assert read_source(repository, "orders", base=base, release=False) == before


def test_only_a_release_has_the_versions_own_tag(repository: Path, base: Base) -> None:
    built = read_source(repository, "orders", base=base, release=False)
    released = read_source(repository, "orders", base=base, release=True)
    assert released.tag == "0.1.0"
    assert built.tag == f"0.1.0-local-{built.key}"
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", built.tag)
    assert built.revision == git(repository, "rev-parse", "HEAD")


def test_a_work_tree_with_changes_is_marked_and_is_not_released(repository: Path, base: Base) -> None:
    head = git(repository, "rev-parse", "HEAD")
    with (repository / "services/orders/src/orders/app.py").open("a", encoding="utf-8") as stream:
        stream.write("# more\n")
    source = read_source(repository, "orders", base=base, release=False)
    assert source.revision == f"{head}-dirty"
    assert read_source(repository, "catalog", base=base, release=True).revision == head
    with pytest.raises(UserError, match=r"orders can't be released .*: services/orders/src/orders/app\.py \(commit"):
        read_source(repository, "orders", base=base, release=True)


@pytest.mark.parametrize(
    ("text", "message"), [("[project", "end of document"), ("[project]\n", "project.version is missing")]
)
def test_a_project_without_a_version_names_its_file(repository: Path, base: Base, text: str, message: str) -> None:
    (repository / "services/orders/pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"services/orders/pyproject.toml: .*{message}"):
        read_source(repository, "orders", base=base, release=False)


def test_an_unknown_service_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(UserError, match=r"no service 'catalgo' \(did you mean 'catalog'\?\)"):
        pick_services(ROOT, ["orders", "catalgo"])
    assert pick_services(ROOT, ["orders", "catalog", "orders"]) == ["orders", "catalog"]
