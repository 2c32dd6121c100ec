"""Each rule is proved by its cases: a failing case breaks one thing, and a passing case sits one edit away."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.policy.cases import CASES, Case, Expected, load_cases, load_mutations
from cartwright.policy.model import Rule, load_rules
from cartwright.prove.suite import wrong_cases

_RULES = load_rules(Path(__file__).parents[2] / "policies")
_CASES = load_cases(_RULES)

# A pair differs in the lines that make the difference: at most a probe, or a label's block.
_ONE_EDIT = 5

_VALID = """\
bases:
  pod: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]
fail:
  one:
    why: It fails.
    changes:
      - {op: set, path: [0, metadata, name], value: b}
    findings: [{at: [0], message: m}]
pass:
  other: {why: It passes.}
mutations:
  - {object: Pod/a, change: {op: remove, path: [metadata]}, why: w}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Rule]:
    """A rule whose cases are this text."""
    folder = tmp_path / "policies" / "rules" / "any-rule"
    folder.mkdir(parents=True)

    def read(text: str) -> Rule:
        (folder / CASES).write_text(text, encoding="utf-8")
        return replace(_RULES[0], id="any-rule", file=folder / "rule.rego")

    return read


@pytest.mark.parametrize("rule", [rule.id for rule in _RULES])
def test_a_failing_case_sits_one_edit_from_a_passing_one(rule: str) -> None:
    failing, passing = (
        [case.text.splitlines() for case in _CASES if (case.rule, case.verdict) == (rule, verdict)]
        for verdict in ("fail", "pass")
    )

    def distance(one: list[str], other: list[str]) -> int:
        lines = list(difflib.unified_diff(one, other, lineterm="", n=0))
        return max(sum(line.startswith(sign) for line in lines[2:]) for sign in "+-")

    assert max(min(distance(one, other) for other in passing) for one in failing) <= _ONE_EDIT


def test_a_rules_folder_holds_its_rego_and_its_cases_and_nothing_else() -> None:
    for rule in _RULES:
        assert sorted(path.name for path in rule.file.parent.iterdir()) == [CASES, "rule.rego"]


def test_a_case_is_its_base_with_the_changes_made(read: Callable[[str], Rule]) -> None:
    fails, passes = load_cases([read(_VALID)])
    assert fails.objects == ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}},)
    assert passes.objects == ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},)
    assert (fails.label, fails.why, fails.findings) == ("any-rule/fail/one", "It fails.", (Expected((0,), "m"),))
    assert str(fails) == "policies/rules/any-rule/cases.yaml:4 fail one"
    [mutation] = load_mutations([read(_VALID)])
    assert str(mutation) == "policies/rules/any-rule/cases.yaml:12 any-rule: w"


def test_a_manifest_quotes_what_some_reader_takes_for_a_number(read: Callable[[str], Rule]) -> None:
    fails, passes = load_cases([read(_VALID.replace("value: b", "value: '0o17'"))])
    assert fails.text == 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: "0o17"\n'
    assert passes.text == "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("op: set", "op: put", "7: .*'put' is not one of"),
        ("metadata, name]", "metadata, nam]", "7: 0.metadata.nam is not there"),
        ("metadata, name]", "spec, name]", "7: 0.spec.name does not lead anywhere"),
        ("value: b", "value: a", "7: changes nothing"),
        ("op: set", "op: add", "7: 0.metadata.name is there already"),
        ("{why: It passes.}", "{why: It passes., base: pd}", "10: no base 'pd'.*pod"),
        ("{why: It passes.}", "{why: It passes., base: pod, objects: [{}]}", "10: a case has objects of its own, or"),
        ("{why: It passes.}", "{why: It passes., findings: []}", "10: .*unknown key 'findings'"),
        ("    findings: [{at: [0], message: m}]\n", "", "4: .*'findings' is a required property"),
        ("object: Pod/a", "object: new", "12: a mutation either changes an object or adds one"),
        ("change: {op: remove, path: [metadata]}, ", "", "12: a mutation either changes an object or adds one"),
        ("change:", "chnge:", "12: .*unknown key 'chnge'"),
    ],
)
def test_a_malformed_case_names_the_line(read: Callable[[str], Rule], old: str, new: str, message: str) -> None:
    assert old in _VALID
    rule = read(_VALID.replace(old, new))
    with pytest.raises(UserError, match=rf"^policies/rules/any-rule/cases\.yaml:{message}"):
        load_cases([rule])
        load_mutations([rule])


def test_a_rule_without_cases_is_refused(tmp_path: Path) -> None:
    rule = replace(_RULES[0], id="bare", file=tmp_path / "policies" / "rules" / "bare" / "rule.rego")
    with pytest.raises(UserError, match=r"rule bare has no cases\.yaml: nothing proves it"):
        load_cases([rule])


@pytest.fixture(scope="module")
def init_container() -> Case:
    """A case with one finding."""
    [case] = [case for case in _CASES if case.label == "pinned-image/fail/init-container"]
    return case


def _wrong(case: Case, policies: Path, conftest: Path) -> list[str]:
    return [one.split(": ", 1)[1] for one in wrong_cases([case], _RULES, conftest, policies=policies)]


def test_a_case_that_holds_is_no_fault(init_container: Case, policies: Path, conftest_binary: Path) -> None:
    [finding] = init_container.findings
    assert finding.at == (0, "spec", "template", "spec", "initContainers", 0, "image")
    assert finding.message == (
        "Deployment/catalog, container migrate: image ghcr.io/example/cartwright/catalog:1.4.2 has no digest; "
        "pin it as name:tag@sha256:digest"
    )
    assert _wrong(init_container, policies, conftest_binary) == []


def test_another_message_or_place_than_the_case_says_is_a_fault(
    init_container: Case, policies: Path, conftest_binary: Path
) -> None:
    [finding] = init_container.findings
    spelled = "at 0.spec.template.spec.initContainers.0.image"
    found = f"also finds {spelled}: {finding.message}"
    for wrong, told in [
        (replace(finding, message="Deployment/catalog: no"), f"does not find {spelled}: Deployment/catalog: no"),
        (replace(finding, at=(0, "spec")), f"does not find at 0.spec: {finding.message}"),
    ]:
        case = replace(init_container, findings=(wrong,))
        assert _wrong(case, policies, conftest_binary) == [found, told]
    case = replace(init_container, findings=(finding, finding))
    assert _wrong(case, policies, conftest_binary) == [f"does not find {spelled}: {finding.message}"]
    assert _wrong(replace(init_container, findings=()), policies, conftest_binary) == [found]
