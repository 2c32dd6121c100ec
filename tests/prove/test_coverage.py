"""How much of the Rego its tests and cases reach: what they miss is seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.policy.cases import load_cases
from cartwright.policy.model import load_rules
from cartwright.prove.coverage import least, library, rule_coverage
from cartwright.prove.suite import LEAST_COVERAGE
from cartwright.tools import require

pytestmark = pytest.mark.slow

_ONE_CASE = """\
fail: {any: {why: Any., objects: [{apiVersion: v1, kind: Pod}], findings: [{at: [0], message: any}]}}
pass: {any: {why: Any., objects: [{apiVersion: v1, kind: Pod}]}}
mutations: [{object: Pod/any, change: {op: remove, path: [spec]}, why: Any.}]
"""


@pytest.fixture(scope="module")
def opa() -> Path:
    return require(["opa"])["opa"]


def test_a_rule_that_its_cases_do_not_reach_is_seen(opa: Path, policies: Path, tmp_path: Path) -> None:
    copy = tmp_path / "policies"
    shutil.copytree(policies, copy)
    for cases in copy.glob("rules/*/cases.yaml"):
        if cases.parent.name != "pdb-selects":
            cases.write_text(_ONE_CASE, encoding="utf-8")
    rules = load_rules(copy)
    missed = least(rule_coverage(copy, opa, rules, load_cases(rules)), LEAST_COVERAGE)
    assert "rules/namespace-pod-security/rule.rego" in missed
    assert "rules/pdb-selects/rule.rego" not in missed


def test_every_library_module_with_functions_has_tests(policies: Path) -> None:
    """`levels` holds constants, `report` is tested beside what it belongs to."""
    tested = {file.name.removesuffix("_test.rego") for file in policies.glob("lib/*_test.rego")}
    assert {file.stem for file in library(policies)} - tested == {"levels", "report"}
