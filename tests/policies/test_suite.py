"""`cartwright policy test`: what counts as a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.prove.suite import rego_tests
from cartwright.tools import require

_FAILS = "test_a if { false }\n"
_ENDS_IN_AN_ERROR = "test_a if { f(1) == 2 }\n\nf(x) := 1 if x > 0\n\nf(x) := 2 if x > 0\n"


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
