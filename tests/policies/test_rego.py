"""The Rego itself: compiles strictly, is formatted, and its tests and the fixtures reach all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cartwright.policy.adapter import data_document, input_document
from cartwright.policy.documents import read_documents
from cartwright.policy.model import load_rules
from cartwright.run import run
from cartwright.tools import require

_LEAST_COVERAGE = 95.0
"""Per cent of lines, of the library by its own tests and of the rules by their fixtures."""


@pytest.fixture(scope="module")
def opa() -> Path:
    return require(["opa"])["opa"]


def _coverage(report: dict[str, Any], file: Path) -> float:
    return float(report["files"].get(str(file), {}).get("coverage", 0))


def test_all_rego_compiles_in_strict_mode(opa: Path, policies: Path) -> None:
    run([opa, "check", "--strict", policies])


def test_all_rego_is_formatted(opa: Path, policies: Path) -> None:
    run([opa, "fmt", "--list", "--fail", policies])


def test_the_librarys_tests_pass_and_cover_it(opa: Path, policies: Path) -> None:
    done = run([opa, "test", "--coverage", "--format=json", policies / "lib"])
    report = json.loads(done.stdout)
    covered = {file.name: _coverage(report, file) for file in _library(policies)}
    assert {name: share for name, share in covered.items() if share < _LEAST_COVERAGE} == {}


def test_the_fixtures_cover_every_rule(opa: Path, policies: Path, fixture_files: list[Path], tmp_path: Path) -> None:
    rules = load_rules(policies)
    data, objects = tmp_path / "data.json", tmp_path / "input.json"
    data.write_text(json.dumps(data_document(rules, {})), encoding="utf-8")
    objects.write_text(json.dumps(input_document(read_documents(fixture_files), isolate=True)), encoding="utf-8")
    modules = [policies / "conftest", *_library(policies), *(rule.file for rule in rules)]
    loaded = [part for module in [*modules, data] for part in ("--data", module)]
    done = run([opa, "eval", "--coverage", "--format=json", *loaded, "--input", objects, "data.main.deny"])
    report = json.loads(done.stdout)["coverage"]
    judged = {str(file.relative_to(policies)): _coverage(report, file) for file in _rego_of(policies)}
    assert {name: share for name, share in judged.items() if share < _LEAST_COVERAGE} == {}


def test_every_library_module_with_functions_has_tests(policies: Path) -> None:
    """`levels` holds constants, `report` and `pss` are tested beside what they belong to."""
    tested = {file.name.removesuffix("_test.rego") for file in policies.glob("lib/*_test.rego")}
    assert {file.stem for file in _library(policies)} - tested == {"levels", "pss", "report"}


def _library(policies: Path) -> list[Path]:
    return [file for file in sorted(policies.glob("lib/*.rego")) if not file.name.endswith("_test.rego")]


def _rego_of(policies: Path) -> list[Path]:
    return [policies / "conftest" / "main.rego", *sorted(policies.glob("rules/*/rule.rego"))]
