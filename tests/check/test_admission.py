"""`check` judges by main's rules, a later environment's cluster by those of its release: parameters must fit both."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.check.admission import unknown_parameters
from cartwright.kernel.findings import Finding
from cartwright.policy.constraints import FOLDER
from cartwright.policy.patches import APP, overlay
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

TEMPLATE = f"release/{FOLDER}/template/template.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("apps", "argocd", "clusters", "environments"):
        shutil.copytree(find_root() / name, tmp_path / name)
    return tmp_path


def found(root: Path) -> list[Finding]:
    tree = open_tree(root)
    known = load_environments(tree)
    rendered, failures = render(tree, [one for one in find_applications(tree, known) if one.app == APP])
    assert not failures
    return [
        finding for one in rendered for finding in unknown_parameters(one, known[one.application.environment], tree)
    ]


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_parameter_that_the_released_rules_do_not_know_is_an_error_where_it_is_set(repository: Path) -> None:
    assert found(repository) == []
    edit(repository / overlay("prod") / TEMPLATE, "input.parameters.tagOnly", "[]")
    file = "environments/prod/environment.yaml"
    lines = (repository / file).read_text(encoding="utf-8").splitlines()
    assert found(repository) == [
        Finding(
            file=file,
            line=lines.index("    tagOnly:") + 1,
            rule="rules-behind",
            severity="error",
            message="the rules that prod's cluster has do not know parameter tagOnly of pinned-image, so admission "
            "would ignore it; first bring them there: "
            "`cartwright promote platform/gatekeeper --from staging --to prod`",
        )
    ]


def test_a_rule_that_the_release_does_not_have_is_no_finding(repository: Path) -> None:
    edit(repository / overlay("prod") / TEMPLATE, "package lib.rules.pinned_image", "package lib.rules.other")
    assert found(repository) == []


def test_the_first_environment_has_the_rules_of_main(repository: Path) -> None:
    edit(repository / "environments/dev/environment.yaml", "    tagOnly:", "    someOther: 1\n    tagOnly:")
    assert found(repository) == []
