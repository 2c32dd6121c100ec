"""Two engines compared: a rule that Gatekeeper's engine does not follow shows as a difference."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.policy.cases import load_cases
from cartwright.policy.model import load_rules
from cartwright.prove.parity import Parity, compare_cases
from cartwright.tree.repository import find_root

pytestmark = pytest.mark.slow

_POLICIES = find_root(Path(__file__)) / "policies"
_RULE = """# METADATA
# title: Nothing is called catalog
# description: Proves the comparison.
# custom:
#   id: no-catalog
#   severity: error
#   scope: object
#   kinds: [{group: "", kind: Service}]
#   remedy: Call it otherwise.
package cartwright.rules.no_catalog

import data.lib.report

violation contains report.at(input.review.object, ["metadata", "name"], "is called catalog") if {
	input.review.object.metadata.name == "catalog"
	CONDITION
}
"""

_CASES = """\
bases:
  service: [{apiVersion: v1, kind: Service, metadata: {name: catalog, namespace: shop}}]
fail:
  service: {why: It is., findings: [{at: [0, metadata, name], message: "Service/catalog: is called catalog"}]}
pass:
  service: {why: It is not., changes: [{op: set, path: [0, metadata, name], value: orders}]}
mutations: [{object: Service/shop/orders, change: {op: set, path: [metadata, name], value: catalog}, why: It is now.}]
"""


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries, without any rule."""
    folder = tmp_path_factory.mktemp("repository") / "policies"
    for name in ("lib", "conftest", "gatekeeper"):
        shutil.copytree(_POLICIES / name, folder / name)
    return folder


def _compare_one_rule(policies: Path, condition: str) -> Parity:
    folder = policies / "rules" / "no-catalog"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cases.yaml").write_text(_CASES, encoding="utf-8")
    (folder / "rule.rego").write_text(_RULE.replace("CONDITION", condition), encoding="utf-8")
    return compare_cases(policies, load_cases(load_rules(policies)))


def test_a_rule_that_one_engine_can_not_follow_is_a_difference(policies: Path) -> None:
    # Gatekeeper moves libraries, and a reference that goes past an import is left behind: it is undefined there.
    parity = _compare_one_rule(policies, 'data.lib.levels.enforce_label != ""')
    assert [str(one) for one in parity.differences] == [
        "no-catalog/fail/service: only conftest finds [no-catalog] Service/catalog: is called catalog"
    ]
    assert (parity.cases, parity.objects, parity.findings, parity.alone) == (2, 2, 1, 1)


def test_a_rule_that_both_engines_follow_is_none(policies: Path) -> None:
    parity = _compare_one_rule(policies, "true")
    assert (parity.differences, parity.findings, parity.alone) == ((), 1, 0)
