"""`check` names what a later environment runs that no promotion brought, with file and line, before it is merged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.synthetic import write_repository
from cartwright.check.releases import edited_releases, leading_out
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import open_tree

STAGED = "environments/staging/shop/app-000"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    policies = tmp_path / "no-policies"
    policies.mkdir()
    root = write_repository(tmp_path / "shop", apps=2, environments=["dev", "staging", "prod"], policies=policies)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "Begin")
    return root


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=Platform Team", "-c", "user.email=platform-team@example.com")
    done = subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, message: str) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "--short=7", "HEAD")


def edited(root: Path) -> list[tuple[str, int, str]]:
    tree = open_tree(root)
    known = load_environments(tree)
    found = edited_releases(tree, find_applications(tree, known), known)
    return [(one.file, one.line, one.message) for one, _ in found]


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_repository_whose_releases_are_those_of_dev_has_no_finding(root: Path) -> None:
    assert edited(root) == []


def test_an_uncommitted_change_below_release_is_named_with_its_line(root: Path) -> None:
    file = f"{STAGED}/release/apps/shop/app-000/deployment.yaml"
    replace(root / file, "  replicas: 1", "  replicas: 9")
    ((where, line, message),) = edited(root)
    assert (where, line) == (file, 8)
    assert message == (
        f"has changes that are not committed; only a promotion may change {STAGED}/release: undo it, "
        "and use `cartwright promote shop/app-000 --from dev --to staging`"
    )


@pytest.mark.parametrize("message", ["Edit", "Promote shop/app-000\n\nPromoted-To: staging\nApp: shop/app-000"])
def test_a_committed_change_is_found_whatever_its_message_says(root: Path, message: str) -> None:
    file = f"{STAGED}/release/apps/shop/app-000/deployment.yaml"
    replace(root / file, "  replicas: 1", "  replicas: 9")
    at = commit(root, message)
    ((where, line, said),) = edited(root)
    assert (where, line) == (file, 8)
    assert said.startswith(
        f"commit {at} changed it by hand: dev never ran it: main never had this content of apps/shop"
    )
    git(root, "revert", "--no-edit", "HEAD")
    assert edited(root) == [], "what ran here before may come back"


def test_a_file_that_is_added_below_release_is_named(root: Path) -> None:
    (root / STAGED / "release" / "apps" / "shop" / "app-000" / "mine.yaml").write_text("a: 1\n")
    commit(root, "Add")
    assert [one[:2] for one in edited(root)] == [(f"{STAGED}/release/apps/shop/app-000/mine.yaml", 1)]


def test_an_image_that_no_upstream_ran_is_named(root: Path) -> None:
    file = f"{STAGED}/release/kustomization.yaml"
    replace(root / file, "newTag: 1.0.0", "newTag: 6.6.6")
    replace(root / file, "digest: sha256:", "digest: sha256:0000")
    text = (root / file).read_text().splitlines()
    (root / file).write_text(
        "\n".join(line[: line.index("0000") + 68] if "0000" in line else line for line in text) + "\n"
    )
    commit(root, "Edit")
    ((where, line, message),) = edited(root)
    assert (where, text[line - 1].strip()) == (file, "newTag: 6.6.6")
    assert "changed it by hand: dev did not run ghcr.io/example/cartwright/app-000:6.6.6 then" in message


@pytest.mark.parametrize(("app", "found"), [("shop/app-000", 0), ("shop/app-001", 1)])
def test_break_glass_counts_for_the_app_that_it_names(root: Path, app: str, found: int) -> None:
    replace(root / f"{STAGED}/release/apps/shop/app-000/deployment.yaml", "  replicas: 1", "  replicas: 9")
    commit(
        root,
        f"Promote {app} from dev to staging\n\nPromoted-From: dev\nPromoted-To: staging\nApp: {app}\n"
        "Break-Glass: Platform Team: the pods must stop",
    )
    assert len(edited(root)) == found


def test_what_dev_ran_may_stand_in_a_release_and_a_squash_changes_nothing_of_that(root: Path) -> None:
    for place in ("", f"{STAGED}/release/"):
        replace(root / f"{place}apps/shop/app-000/deployment.yaml", "  replicas: 1", "  replicas: 2")
        commit(root, "Any words")
    assert edited(root) == []


def test_a_reference_out_of_the_folder_is_an_error_at_its_line(root: Path) -> None:
    file = f"{STAGED}/kustomization.yaml"
    replace(root / file, "release/apps/components/labels", "../../../../apps/components/labels")
    tree = open_tree(root)
    known = load_environments(tree)
    wanted = [one for one in find_applications(tree, known) if one.path in {STAGED, STAGED.replace("staging", "dev")}]
    rendered, failures = render(tree, wanted)
    assert not failures
    ((finding, application),) = leading_out(rendered, known, tree)
    assert (finding.file, finding.line, finding.rule, application.path) == (file, 7, "release-leads-out", STAGED)
    assert finding.message == (
        f"'../../../../apps/components/labels' leads out of {STAGED}, so this would change with main and pass no gate; "
        "refer to release/, which `cartwright promote` brings"
    )


def test_a_folder_that_is_a_link_is_an_error(root: Path) -> None:
    prod = root / "environments" / "prod" / "shop" / "app-000"
    prod.rename(root / "environments" / "prod" / "shop" / "moved")
    prod.symlink_to("../../staging/shop/app-000")
    tree = open_tree(root)
    known = load_environments(tree)
    wanted = [one for one in find_applications(tree, known) if one.path == "environments/prod/shop/app-000"]
    rendered, _ = render(tree, wanted)
    found = {(one.file, one.message) for one, _ in leading_out(rendered, known, tree)}
    assert found == {
        (
            "environments/prod/shop/app-000",
            "is a symbolic link, so what it leads to decides what prod runs; make it a folder",
        )
    }
