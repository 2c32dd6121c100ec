"""Two engines, one verdict: conftest and Gatekeeper's own engine find the same in every fixture and rendered object."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.policy.model import load_rules
from cartwright.prove.parity import Parity, compare_fixtures, compare_objects, gatekeeper_rules
from cartwright.prove.shop import read_shop
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

_ROOT = find_root(Path(__file__))
_POLICIES = _ROOT / "policies"
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


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries, without any rule."""
    folder = tmp_path_factory.mktemp("repository") / "policies"
    for name in ("lib", "conftest", "gatekeeper"):
        shutil.copytree(_POLICIES / name, folder / name)
    return folder


def _compare_one_rule(policies: Path, condition: str) -> Parity:
    folder = policies / "rules" / "no-catalog"
    for name, service in (("fail", "catalog"), ("pass", "orders")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: {service}, namespace: shop}}\n"
        (folder / name / "service.yaml").write_text(text, encoding="utf-8")
    (folder / "rule.rego").write_text(_RULE.replace("CONDITION", condition), encoding="utf-8")
    return compare_fixtures(policies)


def test_both_engines_find_the_same_in_every_fixture(capsys: pytest.CaptureFixture[str]) -> None:
    parity = compare_fixtures(_POLICIES)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{parity.fixtures} fixtures, {parity.objects} objects, {parity.rules} rules, {parity.findings} findings,"
            f" {len(parity.differences)} differences; {len(parity.unreadable)} fixtures that gator does not load"
        )
    assert [str(one) for one in parity.differences] == []
    files = [file for rule in gatekeeper_rules(_POLICIES) for file in rule.file.parent.glob("*/*.yaml")]
    assert parity.fixtures + len(parity.unreadable) == len(files) > 500
    # Namespaces whose labels are no labels: gator decodes these, as the API server does, before it asks any rule.
    assert {Path(one).parts[-3] for one in parity.unreadable} <= {"namespace-pod-security"}
    assert len(parity.unreadable) < 10
    assert parity.findings > parity.fixtures
    assert parity.rules == len([rule for rule in load_rules(_POLICIES) if rule.scope in ("object", "environment")])


def test_both_engines_find_the_same_in_every_rendered_object_of_every_environment() -> None:
    shop = read_shop(open_tree(_ROOT))
    environments = {
        name: [document.object for document in realm.documents] for name, realm in shop.realms.items() if name != "hub"
    }
    parity = compare_objects(_POLICIES, environments, {name: shop.realms[name].parameters for name in environments})
    assert [str(one) for one in parity.differences] == []
    assert set(environments) == {"dev", "staging", "prod"}
    assert parity.objects > 300
    # What waivers hide later is found by both: without any finding nothing would have been compared.
    assert parity.findings > 0


def test_a_rule_that_one_engine_can_not_follow_is_a_difference(policies: Path) -> None:
    # Gatekeeper moves libraries, and a reference that goes past an import is left behind: it is undefined there.
    parity = _compare_one_rule(policies, 'data.lib.levels.enforce_label != ""')
    assert [str(one) for one in parity.differences] == [
        f"{policies}/rules/no-catalog/fail/service.yaml: only conftest finds [no-catalog] "
        "Service/catalog: is called catalog"
    ]
    assert (parity.fixtures, parity.objects, parity.findings, parity.alone) == (2, 2, 1, 1)


def test_a_rule_that_both_engines_follow_is_none(policies: Path) -> None:
    parity = _compare_one_rule(policies, "true")
    assert (parity.differences, parity.findings, parity.alone) == ((), 1, 0)
