"""`cartwright policy test`: what counts as a fault."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cartwright.prove.suite import PROOFS, prove, rego_tests
from cartwright.tools import require
from cartwright.tree.repository import FolderTree, find_root
from cartwright.yaml import validate

_LEAST = {
    "rules": {"rules": 116, "errors": 111},
    "cases": {"cases": 1216, "must fail": 676, "must pass": 540},
    "library": {"Rego tests": 145},
    "coverage": {"files": 143, "per cent of lines": 99.0},
    "engines": {"cases": 1089, "rendered objects": 300},
    "mutations": {"mutations": 168, "rules that they break": 116},
}
"""How much is tried at least: a proof of nothing has no fault."""
_FAILS = "test_a if { false }\n"
_ENDS_IN_AN_ERROR = "test_a if { f(1) == 2 }\n\nf(x) := 1 if x > 0\n\nf(x) := 2 if x > 0\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", PROOFS)
def test_the_proof_has_no_fault_and_tries_no_less_than_before(name: str) -> None:
    [proof] = prove(FolderTree(find_root()), only=[name])
    assert proof.faults == ()
    assert [count for count, least in _LEAST[name].items() if proof.counts[count] < least] == []


def test_cases_are_read_once_for_all_proofs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = find_root() / "policies"
    shutil.copytree(policies, tmp_path / "policies", ignore=shutil.ignore_patterns("rules"))
    shutil.copytree(policies / "rules" / "pinned-image", tmp_path / "policies" / "rules" / "pinned-image")
    read: list[str] = []
    reader = validate.load_valid

    def counting(text: str, file: str, schema: dict[str, Any]) -> Any:
        read.append(file)
        return reader(text, file, schema)

    monkeypatch.setattr("cartwright.policy.cases.load_valid", counting)
    proofs = list(prove(FolderTree(tmp_path), only=["cases", "coverage"]))
    assert [proof.name for proof in proofs] == ["cases", "coverage"]
    assert read == ["policies/rules/pinned-image/cases.yaml"]


@pytest.mark.parametrize("folder", ["lib", "gatekeeper"])
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param("test_a if { true }\n", (), id="passes"),
        pytest.param(_FAILS, ("x_test.rego:3 test_a",), id="fails"),
        pytest.param(
            _ENDS_IN_AN_ERROR,
            ("x_test.rego:3 test_a: functions must not produce multiple outputs for same inputs",),
            id="ends in an error",
        ),
    ],
)
def test_a_rego_test_that_does_not_pass_is_a_fault(
    tmp_path: Path, folder: str, body: str, fault: tuple[str, ...]
) -> None:
    for name in ("lib", "gatekeeper"):
        (tmp_path / name).mkdir()
    (tmp_path / folder / "x_test.rego").write_text(f"package x_test\n\n{body}")
    proof = rego_tests(tmp_path, require(["opa"])["opa"])
    assert (proof.counts, proof.faults) == ({"Rego tests": 1}, fault)
