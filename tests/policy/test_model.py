"""METADATA: what a rule says about itself, and what happens when it says it wrongly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.kernel.run import run
from cartwright.policy.kinds import version_of
from cartwright.policy.model import POD_CARRYING, Kind, Rule, load_rules
from cartwright.tools import require
from tests.policy.reads import Modules, inventory_reads, parse_modules, reads_inventory

_POLICIES = Path(__file__).parents[2] / "policies"
_RULES = load_rules(_POLICIES)
_READS = "policies/rules/some-rule/rule.rego:2: a rule of scope environment lists kinds under reads, and no other does"
_GOOD = """\
# METADATA
# title: Something holds
# description: It matters.
# custom:
#   id: some-rule
#   severity: error
#   scope: object
#   kinds: [{group: "", kind: Pod}]
#   remedy: Do it.
package cartwright.rules.some_rule

violation contains {"msg": "no", "details": {"path": []}} if input.review.object.bad
"""


def _write(root: Path, text: str, name: str = "some-rule") -> Path:
    file = root / "policies" / "rules" / name / "rule.rego"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return root / "policies"


def test_folders_and_ids_name_the_same_rules() -> None:
    assert {rule.id for rule in _RULES} == {path.name for path in (_POLICIES / "rules").iterdir()}


def test_the_first_twelve_rules_are_there() -> None:
    assert {rule.id for rule in _RULES} >= {
        "automount-token",
        "image-registry",
        "namespace-pod-security",
        "no-plaintext-secret",
        "no-replicas-under-hpa",
        "pdb-selects",
        "pinned-image",
        "pss-capabilities-restricted",
        "pss-run-as-non-root",
        "read-only-root-filesystem",
        "require-probes",
        "require-requests-limits",
    }


def test_pod_carrying_kinds_are_those_that_the_rego_library_knows(tmp_path: Path) -> None:
    done = run(
        [require(["opa"])["opa"], "eval", "--format=json", "--data", _POLICIES / "lib", "data.lib.workload.spec_paths"]
    )
    paths = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    assert {kind.kind for kind in POD_CARRYING} == set(paths)


@pytest.fixture(scope="module")
def modules() -> Modules:
    """The Rego of every rule, parsed."""
    return parse_modules(_POLICIES, _RULES, require(["opa"])["opa"])


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.id)
def test_a_rule_that_reads_other_objects_says_so(rule: Rule, modules: Modules) -> None:
    """A verdict of scope `object` is kept until the object changes: it must not depend on another one."""
    text = rule.file.read_text(encoding="utf-8")
    reads_fleet = any(word in text for word in ("data.lib.fleet", "data.fleet", "input.environment"))
    if rule.scope in {"hub", "fleet"}:
        assert reads_fleet == (rule.scope == "fleet")
        return
    assert not reads_fleet
    assert rule.scope == ("environment" if reads_inventory(modules, rule) else "object")


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.id)
def test_a_rule_declares_the_kinds_that_its_rego_looks_up(rule: Rule, modules: Modules) -> None:
    """Gatekeeper keeps copies of these alone, and what admission can be sure of depends on them."""
    known = sorted({kind for one in _RULES for kind in one.kinds})
    found = inventory_reads(modules, rule, known, lambda kind: version_of(kind) is not None)
    assert rule.reads == (found if rule.scope == "environment" else frozenset())


def test_a_rule_reads_no_parameter_but_its_own() -> None:
    """Rules are asked in batches that share their parameters, and Gatekeeper gives a rule its own alone."""
    for rule in _RULES:
        read = set(re.findall(r"input\.parameters\.(\w+)", rule.file.read_text(encoding="utf-8")))
        assert read <= set(rule.defaults), rule.id


def test_rules_that_need_more_than_one_environment_run_in_check_alone() -> None:
    assert {rule.scope for rule in _RULES if rule.runs_in == ("check",)} <= {"hub", "fleet"}
    assert {rule.scope for rule in _RULES if "admission" in rule.runs_in} == {"object", "environment"}


def test_defaults_fit_their_own_schemas() -> None:
    import jsonschema

    for rule in _RULES:
        for parameter in rule.parameters:
            jsonschema.validate(parameter.default, dict(parameter.schema))


def test_a_rule_is_read_from_its_metadata(tmp_path: Path) -> None:
    [rule] = load_rules(_write(tmp_path, _GOOD))
    assert (rule.id, rule.package, rule.severity, rule.scope) == ("some-rule", "some_rule", "error", "object")
    assert (rule.title, rule.why, rule.remedy) == ("Something holds", "It matters.", "Do it.")
    assert rule.kinds == (Kind(group="", kind="Pod"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "severity: error",
            "severity: fatal",
            "policies/rules/some-rule/rule.rego:2: METADATA: severity is 'fatal' (one of: error, warning)",
            id="unknown-severity",
        ),
        pytest.param(
            "id: some-rule",
            "id: other-rule",
            "policies/rules/some-rule/rule.rego:2: id other-rule is not the folder's name (some-rule)",
            id="other-id-than-folder",
        ),
        pytest.param(
            "package cartwright.rules.some_rule",
            "package cartwright.rules.any",
            "policies/rules/some-rule/rule.rego: package cartwright.rules.any does not fit the rule's id "
            "(package cartwright.rules.some_rule)",
            id="other-package-than-id",
        ),
        pytest.param(
            "#   remedy: Do it.\n",
            "",
            "policies/rules/some-rule/rule.rego:2: METADATA: remedy must be a text",
            id="no-remedy",
        ),
        pytest.param(
            "scope: object",
            "scope: environment",
            _READS,
            id="environment-without-reads",
        ),
        pytest.param(
            "scope: object",
            "scope: object\n#   reads: [Secret]",
            _READS,
            id="reads-of-an-object",
        ),
        pytest.param(
            "scope: object",
            "scope: environment\n#   reads: Secret",
            "policies/rules/some-rule/rule.rego:2: METADATA: reads must be a list of kinds as kubectl spells them, "
            "such as Deployment.apps",
            id="reads-is-not-a-list",
        ),
        pytest.param(
            "remedy: Do it.",
            "remedy: Do it.\n#   owner: me",
            "policies/rules/some-rule/rule.rego:2: METADATA: unknown key 'owner' "
            "(known: id, severity, scope, kinds, reads, parameters, remedy, git_only, example)",
            id="unknown-key",
        ),
        pytest.param(
            "# title: Something holds",
            "# title: [Something holds",
            "policies/rules/some-rule/rule.rego:3: METADATA is not valid YAML: did not find expected ',' or ']'",
            id="no-yaml",
        ),
        pytest.param(
            "# METADATA\n",
            "",
            "policies/rules/some-rule/rule.rego:9: no METADATA block right above the package",
            id="no-metadata",
        ),
    ],
)
def test_wrong_metadata_is_refused_at_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in _GOOD
    with pytest.raises(UserError) as caught:
        load_rules(_write(tmp_path, _GOOD.replace(old, new)))
    assert str(caught.value) == message


def test_no_rule_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "policies" / "rules").mkdir(parents=True)
    with pytest.raises(UserError, match="no rule found: nothing would be judged"):
        load_rules(tmp_path / "policies")


def test_a_folder_without_a_rule_is_an_error(tmp_path: Path) -> None:
    policies = _write(tmp_path, _GOOD)
    (policies / "rules" / "forgotten").mkdir()
    with pytest.raises(UserError, match=r"policies/rules/forgotten: a rule's folder has no rule\.rego"):
        load_rules(policies)
