"""Each rule is proved by its fixtures: a fail fixture breaks one thing, a pass fixture sits one edit away."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from cartwright.policy.documents import read_documents
from cartwright.policy.engine import Evaluation
from cartwright.policy.model import load_rules

_POLICIES = Path(__file__).parents[2] / "policies"
_RULES = load_rules(_POLICIES)
_FILES = sorted(_POLICIES.glob("rules/*/*/*.yaml"))

# A pair differs in the lines that make the difference: at most a probe, a line of a selector, or a label's block.
_ONE_EDIT = 5


def _name(file: Path) -> str:
    return "/".join(file.parts[-3:]).removesuffix(".yaml")


def _body(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()[1:]


@pytest.mark.parametrize("file", _FILES, ids=_name)
def test_a_fixture_gets_the_verdict_of_its_folder(file: Path, fixture_verdicts: Evaluation) -> None:
    rule, folder = file.parts[-3], file.parts[-2]
    fired = [finding for finding in fixture_verdicts.findings if finding.file == str(file) and finding.rule == rule]
    if folder == "fail":
        assert fired, f"{rule} finds nothing"
    else:
        assert fired == []


@pytest.mark.parametrize("file", _FILES, ids=_name)
def test_a_fixture_says_on_its_first_line_what_it_shows(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    word = {"fail": "Fails", "pass": "Passes"}[file.parts[-2]]
    assert first.startswith(f"# {word}: ")
    assert first.endswith(".")


@pytest.mark.parametrize("file", [file for file in _FILES if file.parts[-2] == "fail"], ids=_name)
def test_a_fail_fixture_sits_one_edit_from_a_pass_fixture(file: Path) -> None:
    body = _body(file)

    def distance(other: Path) -> int:
        lines = list(difflib.unified_diff(body, _body(other), lineterm="", n=0))
        removed = sum(line.startswith("-") for line in lines[2:])
        added = sum(line.startswith("+") for line in lines[2:])
        return max(removed, added)

    assert min(distance(other) for other in file.parents[1].glob("pass/*.yaml")) <= _ONE_EDIT


@pytest.mark.parametrize("rule", [rule.id for rule in _RULES])
def test_every_rule_has_fixtures_of_both_sorts(rule: str) -> None:
    folder = _POLICIES / "rules" / rule
    assert list(folder.glob("pass/*.yaml"))
    assert list(folder.glob("fail/*.yaml"))


def test_a_rules_folder_holds_its_rego_and_its_fixtures_and_nothing_else() -> None:
    expected = {rule.file for rule in _RULES} | set(_FILES)
    assert {path for path in (_POLICIES / "rules").rglob("*") if path.is_file()} == expected


def test_every_object_and_every_rule_was_judged(fixture_verdicts: Evaluation, fixture_files: list[Path]) -> None:
    assert fixture_verdicts.rules == len(_RULES) >= 12
    assert fixture_verdicts.objects == len(read_documents(fixture_files)) >= len(fixture_files) > 100


def test_a_finding_says_where_and_what_in_full(fixture_verdicts: Evaluation) -> None:
    file = _POLICIES / "rules/pinned-image/fail/init-container.yaml"
    [finding] = [one for one in fixture_verdicts.findings if one.file == str(file) and one.rule == "pinned-image"]
    assert finding.message == (
        "Deployment/catalog, container migrate: image ghcr.io/example-org/cartwright/catalog:1.4.2 has no digest; "
        "pin it as name:tag@sha256:digest"
    )
    assert finding.field == ("spec", "template", "spec", "initContainers", 0, "image")
    assert (finding.resource.kind, finding.resource.namespace, finding.resource.name) == (
        "Deployment",
        "shop",
        "catalog",
    )
    assert (finding.severity, finding.document) == ("error", 0)
