"""The Rego itself: compiles strictly, is formatted, and its tests and the fixtures reach all of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.kernel.run import run
from cartwright.prove.coverage import least, library, library_coverage, rule_coverage
from cartwright.tools import require

pytestmark = pytest.mark.slow

_LEAST_COVERAGE = 95.0
"""Per cent of lines, of the library by its own tests and of the rules by their fixtures."""


@pytest.fixture(scope="module")
def opa() -> Path:
    return require(["opa"])["opa"]


def test_all_rego_compiles_in_strict_mode(opa: Path, policies: Path) -> None:
    run([opa, "check", "--strict", policies])


def test_all_rego_is_formatted(opa: Path, policies: Path) -> None:
    run([opa, "fmt", "--list", "--fail", policies])


def test_the_librarys_tests_pass_and_cover_it(opa: Path, policies: Path) -> None:
    assert least(library_coverage(policies, opa), _LEAST_COVERAGE) == {}


def test_the_fixtures_cover_every_rule(opa: Path, policies: Path) -> None:
    assert least(rule_coverage(policies, opa), _LEAST_COVERAGE) == {}


def test_a_rule_that_its_fixtures_do_not_reach_is_seen(opa: Path, policies: Path, tmp_path: Path) -> None:
    copy = tmp_path / "policies"
    shutil.copytree(policies, copy)
    for fixture in copy.glob("rules/*/*/*.yaml"):
        if fixture.parts[-3] != "pdb-selects":
            fixture.unlink()
    missed = least(rule_coverage(copy, opa), _LEAST_COVERAGE)
    assert "rules/namespace-pod-security/rule.rego" in missed
    assert "rules/pdb-selects/rule.rego" not in missed


def test_every_library_module_with_functions_has_tests(policies: Path) -> None:
    """`levels` holds constants, `report` is tested beside what it belongs to."""
    tested = {file.name.removesuffix("_test.rego") for file in policies.glob("lib/*_test.rego")}
    assert {file.stem for file in library(policies)} - tested == {"levels", "report"}
