"""How much of the Rego its own tests and cases reach, by opa's count of lines."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.run import run
from cartwright.policy.adapter import data_document, input_document
from cartwright.policy.cases import Case, fleets_of
from cartwright.policy.model import Rule

__all__ = ["Covered", "least", "library", "library_coverage", "rule_coverage", "total"]


@dataclass(frozen=True)
class Covered:
    """Lines of one Rego file."""

    reached: int
    missed: int
    first_missed: int | None
    """One-based line of the first that was not reached."""

    @property
    def percent(self) -> float:
        """Share that was reached; 0 for a file that was not evaluated at all."""
        lines = self.reached + self.missed
        return 100 * self.reached / lines if lines else 0.0


def library(policies: Path) -> list[Path]:
    """The modules of ``policies/lib``, without their tests."""
    return [file for file in sorted(policies.glob("lib/*.rego")) if not file.name.endswith("_test.rego")]


def library_coverage(policies: Path, opa: Path) -> dict[str, Covered]:
    """The library's modules under their own tests, by path below ``policies``.

    Raises:
        ToolError: a test fails, or the Rego does not compile.
    """
    done = run([opa, "test", "--coverage", "--format=json", policies / "lib"])
    report = json.loads(done.stdout)
    return {str(file.relative_to(policies)): _covered(report, str(file)) for file in library(policies)}


def rule_coverage(policies: Path, opa: Path, rules: Sequence[Rule], cases: Sequence[Case]) -> dict[str, Covered]:
    """The rules and the conftest adapter under the cases, by path below ``policies``.

    Raises:
        ToolError: the Rego does not compile.
    """
    files = [policies / "conftest" / "main.rego", *(rule.file for rule in rules)]
    fleets = fleets_of(cases, rules)
    with tempfile.TemporaryDirectory(prefix="cartwright-coverage-") as folder:
        data, objects = Path(folder, "data.json"), Path(folder, "input.json")
        data.write_text(json.dumps(data_document(rules, fleets)), encoding="utf-8")
        objects.write_text(json.dumps(input_document(fleets)), encoding="utf-8")
        loaded = [part for module in (*files, *library(policies), data) for part in ("--data", module)]
        done = run([opa, "eval", "--coverage", "--format=json", *loaded, "--input", objects, "data.main.deny"])
    report = json.loads(done.stdout)["coverage"]
    return {str(file.relative_to(policies)): _covered(report, str(file)) for file in files}


def total(covered: Mapping[str, Covered]) -> float:
    """Per cent of all lines of these files."""
    reached = sum(one.reached for one in covered.values())
    lines = reached + sum(one.missed for one in covered.values())
    return 100 * reached / lines if lines else 0.0


def least(covered: Mapping[str, Covered], percent: float) -> dict[str, Covered]:
    """The files below that share."""
    return {name: one for name, one in covered.items() if one.percent < percent}


def _covered(report: Mapping[str, Any], file: str) -> Covered:
    found = report["files"].get(file, {})
    missed = [part["start"]["row"] for part in found.get("not_covered", ())]
    return Covered(
        reached=_lines(found.get("covered", ())),
        missed=_lines(found.get("not_covered", ())),
        first_missed=min(missed, default=None),
    )


def _lines(ranges: Any) -> int:
    return sum(part["end"]["row"] - part["start"]["row"] + 1 for part in ranges)
