"""The engine: conftest asked once, everything judged, and every way in which that can go wrong told in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.errors import ToolError, UserError
from cartwright.policy.documents import read_documents
from cartwright.policy.engine import Evaluation, evaluate_documents
from cartwright.policy.model import load_rules

pytestmark = pytest.mark.slow

Judge = Callable[..., Evaluation]


def _namespace(level: str | None = None, name: str = "shop") -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "app", "image": "app"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "namespace": "shop", "labels": {"app": "app"}},
        "spec": {"containers": containers, **spec},
    }


def _budget(namespace: str = "shop") -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "app"}}},
    }


def _rules(evaluation: Evaluation) -> list[str]:
    return [finding.rule for finding in evaluation.findings]


def _yaml(folder: Path, text: str, name: str = "objects.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def copied(policies: Path, tmp_path: Path) -> Path:
    """A copy of the policies that a test may break."""
    return Path(shutil.copytree(policies, tmp_path / "policies"))


def test_objects_and_rules_are_counted_by_conftest_itself(judge: Judge, policies: Path) -> None:
    evaluation = judge([_namespace("restricted"), _pod(), _budget()])
    loose = [rule for rule in load_rules(policies) if rule.scope != "fleet"]
    assert (evaluation.objects, evaluation.rules) == (3, len(loose))


def test_nothing_to_judge_counts_as_nothing(judge: Judge) -> None:
    assert judge([]).objects == 0


def test_only_the_rules_that_are_asked_for_answer(judge: Judge) -> None:
    evaluation = judge([_pod(), _namespace()], only=["pinned-image"])
    assert (_rules(evaluation), evaluation.rules) == (["pinned-image"], 1)


def test_objects_see_each_other(judge: Judge) -> None:
    assert _rules(judge([_pod(), _budget()], only=["pdb-selects"])) == []


def test_isolated_files_do_not_see_each_other(judge: Judge) -> None:
    evaluation = judge([_pod(), _budget()], isolate=True, only=["pdb-selects"])
    assert [(finding.rule, finding.file) for finding in evaluation.findings] == [("pdb-selects", "1")]


def test_objects_of_one_isolated_file_see_each_other(tmp_path: Path, policies: Path, conftest_binary: Path) -> None:
    import yaml

    together = _yaml(tmp_path, yaml.safe_dump_all([_pod(), _budget()]), "together.yaml")
    alone = _yaml(tmp_path, yaml.safe_dump(_budget()), "alone.yaml")
    found = evaluate_documents(
        read_documents([together, alone]), {}, conftest_binary, policies=policies, isolate=True, only=["pdb-selects"]
    )
    assert [finding.file for finding in found.findings] == [str(alone)]


def test_objects_without_a_namespace_share_one(judge: Judge) -> None:
    pod, budget = _pod(), _budget()
    del pod["metadata"]["namespace"], budget["metadata"]["namespace"]
    assert _rules(judge([pod, budget], only=["pdb-selects"])) == []


def test_of_two_objects_with_one_identity_both_are_judged_and_the_last_is_seen_by_others(judge: Judge) -> None:
    relabelled = _pod()
    relabelled["metadata"]["labels"] = {"app": "other"}
    evaluation = judge([_pod(), relabelled, _budget()], only=["pdb-selects", "pinned-image"])
    assert _rules(evaluation) == ["pinned-image", "pinned-image", "pdb-selects"]


def test_an_object_with_a_generated_name_is_judged(judge: Judge) -> None:
    pod = _pod()
    pod["metadata"] = {"generateName": "app-", "namespace": "shop"}
    [finding] = judge([pod], only=["pinned-image"]).findings
    assert finding.resource.name == "app-"
    assert finding.message.startswith("Pod/app-, container app: ")


@pytest.mark.parametrize(
    ("level", "expected"),
    [("privileged", []), ("baseline", []), ("restricted", ["pss-run-as-non-root"]), (None, ["pss-run-as-non-root"])],
)
def test_the_namespace_label_decides_the_level(judge: Judge, level: str | None, expected: list[str]) -> None:
    assert _rules(judge([_namespace(level), _pod()], only=["pss-run-as-non-root"])) == expected


@pytest.mark.parametrize(("level", "expected"), [("baseline", []), ("restricted", ["pss-run-as-non-root"])])
def test_a_level_that_is_asked_for_overrides_the_label(judge: Judge, level: str, expected: list[str]) -> None:
    other = {"baseline": "restricted", "restricted": "baseline"}[level]
    assert _rules(judge([_namespace(other), _pod()], pss=level, only=["pss-run-as-non-root"])) == expected


def test_a_pod_whose_namespace_is_not_known_is_held_to_restricted(judge: Judge) -> None:
    assert _rules(judge([_pod()], only=["pss-run-as-non-root"])) == ["pss-run-as-non-root"]


def test_an_unknown_level_is_refused(judge: Judge) -> None:
    with pytest.raises(UserError, match=r"no Pod Security level 'restrictd' \(did you mean 'restricted'\?\)"):
        judge([_pod()], pss="restrictd")


@pytest.mark.parametrize(
    ("rule", "values", "spec", "expected"),
    [
        pytest.param("require-probes", {"probes": []}, {}, 0, id="no-probe-asked-for"),
        pytest.param("require-probes", {"probes": ["startup"]}, {}, 1, id="startup-probe"),
        pytest.param("require-requests-limits", {"limits": ["memory"]}, {}, 3, id="no-cpu-limit-asked-for"),
        pytest.param("image-registry", {"registries": ["docker.io"]}, {}, 0, id="all-of-docker-hub"),
        pytest.param("image-registry", {"registries": ["docker.io/lib"]}, {}, 1, id="half-a-name"),
        pytest.param("automount-token", {"serviceAccounts": ["shop/default"]}, {}, 0, id="default-account"),
        pytest.param("automount-token", {"serviceAccounts": ["data/default"]}, {}, 1, id="account-elsewhere"),
        pytest.param(
            "automount-token",
            {"serviceAccounts": ["shop/app"]},
            {"serviceAccountName": "app", "automountServiceAccountToken": True},
            0,
            id="named-account",
        ),
    ],
)
def test_parameters_change_what_a_rule_asks(
    judge: Judge, rule: str, values: dict[str, Any], spec: dict[str, Any], expected: int
) -> None:
    assert len(judge([_pod(**spec)], parameters={rule: values}, only=[rule]).findings) == expected


@pytest.mark.parametrize(("level", "expected"), [("baseline", 0), ("restricted", 1)])
def test_an_environment_may_ask_its_namespaces_for_more(judge: Judge, level: str, expected: int) -> None:
    rule = "namespace-pod-security"
    evaluation = judge([_namespace("baseline")], parameters={rule: {"level": level}}, only=[rule])
    assert len(evaluation.findings) == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pined-image": {}}, "parameters for 'pined-image', which is not a rule (did you mean 'pinned-image'?)"),
        (
            {"require-probes": {"probe": []}},
            "require-probes has no parameter 'probe' (did you mean 'probes'?)",
        ),
        (
            {"require-probes": {"probes": ["ready"]}},
            "parameter probes of require-probes: 'ready' is not one of ['startup', 'liveness', 'readiness']",
        ),
        ({"require-probes": ["liveness"]}, "parameters of require-probes must be a mapping of names to values"),
    ],
    ids=["rule", "name", "value", "form"],
)
def test_a_wrong_parameter_is_refused(judge: Judge, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        judge([_pod()], parameters=parameters)
    assert str(caught.value) == message


def test_an_unknown_rule_is_refused(judge: Judge) -> None:
    with pytest.raises(UserError, match=r"no rule 'pdb-select' \(did you mean 'pdb-selects'\?\)"):
        judge([_pod()], only=["pdb-select"])


def test_an_infinite_number_is_refused(judge: Judge) -> None:
    with pytest.raises(UserError, match="a number is infinite"):
        judge([_pod(priority=float("inf"))])


def test_a_compile_error_names_file_and_line(copied: Path, conftest_binary: Path) -> None:
    rule = copied / "rules" / "pinned-image" / "rule.rego"
    lines = rule.read_text(encoding="utf-8").splitlines()
    rule.write_text("\n".join([*lines, "", "_broken(x) := y"]), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        evaluate_documents([], {}, conftest_binary, policies=copied)
    assert str(caught.value) == (
        f"policies/rules/pinned-image/rule.rego:{len(lines) + 2}: rego_unsafe_var_error: var y is unsafe"
    )


def test_a_syntax_error_names_file_and_line(copied: Path, conftest_binary: Path) -> None:
    rule = copied / "rules" / "pinned-image" / "rule.rego"
    text = rule.read_text(encoding="utf-8")
    rule.write_text(text + "\nviolation contains {\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        evaluate_documents([], {}, conftest_binary, policies=copied)
    assert caught.value.file == "policies/rules/pinned-image/rule.rego"
    assert caught.value.line is not None
    assert caught.value.line > text.count("\n")
    assert "rego_parse_error" in str(caught.value)


def test_a_rule_that_gives_no_violations_is_not_taken_for_one_that_finds_none(
    copied: Path, conftest_binary: Path
) -> None:
    rule = copied / "rules" / "pinned-image" / "rule.rego"
    text = rule.read_text(encoding="utf-8")
    rule.write_text(text.replace("violation contains", "violations contains"), encoding="utf-8")
    with pytest.raises(ToolError, match="conftest did not ask these rules: pinned-image"):
        evaluate_documents([], {}, conftest_binary, policies=copied)


def test_an_error_in_a_built_in_function_is_not_taken_for_a_pass(
    copied: Path, conftest_binary: Path, tmp_path: Path
) -> None:
    rule = copied / "rules" / "namespace-pod-security" / "rule.rego"
    text = rule.read_text(encoding="utf-8")
    extra = '\nviolation contains {"msg": "x", "details": {}} if to_number(input.review.object.kind) > 1\n'
    rule.write_text(text + extra, encoding="utf-8")
    file = _yaml(tmp_path, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    with pytest.raises(UserError) as caught:
        evaluate_documents(read_documents([file]), {}, conftest_binary, policies=copied)
    assert caught.value.file == "policies/rules/namespace-pod-security/rule.rego"
    assert "to_number" in str(caught.value)


def test_findings_come_in_a_fixed_order(judge: Judge) -> None:
    pods = [_pod(containers=[{"name": f"c{number}", "image": "app"} for number in range(12)])] * 2
    first, second = judge(pods), judge(pods)
    assert first == second
    images = [finding.field[2] for finding in first.findings if finding.rule == "pinned-image"]
    assert images == [*range(12), *range(12)]
