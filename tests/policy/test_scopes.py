"""Scopes: which rules are asked about which objects, and what they see of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.errors import ToolError
from cartwright.policy import engine
from cartwright.policy.adapter import ENVIRONMENT, HUB, Fleet, Realm, by_file, data_document
from cartwright.policy.cases import fleets_of, load_cases
from cartwright.policy.documents import Document
from cartwright.policy.engine import Evaluation, evaluate_fleets
from cartwright.policy.model import Rule, load_rules

_PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "prod", "namespace": "argocd"},
    "spec": {"sourceRepos": ["*"], "destinations": [], "namespaceResourceWhitelist": []},
}


def _deployment(replicas: int, name: str = "catalog") -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app", "image": "app"}]}}},
    }


def _realm(name: str, *objects: Mapping[str, Any], upstreams: tuple[str, ...] = ()) -> Realm:
    documents = [Document(path=f"{name}-{number}", index=0, object=one) for number, one in enumerate(objects)]
    return Realm(documents, name=name, upstreams=upstreams, scopes=ENVIRONMENT)


def _rules(evaluation: Evaluation) -> list[tuple[str, str]]:
    return [(finding.realm, finding.rule) for finding in evaluation.findings]


@pytest.fixture
def ask(conftest_binary: Path, policies: Path) -> Any:
    """Ask about fleets; a few rules, or all."""

    def ask(*fleets: Fleet, only: tuple[str, ...] | None = None) -> Evaluation:
        return evaluate_fleets(fleets, conftest_binary, policies=policies, only=only)

    return ask


def test_objects_of_no_environment_are_asked_about_argo_cd_too_but_compared_with_nothing(ask: Any) -> None:
    loose = Fleet([Realm([Document("a", 0, _PROJECT), Document("b", 0, _deployment(1))])])
    evaluation = ask(loose, only=("appproject-wildcard", "replicas-not-below-upstream"))
    assert [(one.rule, one.file) for one in evaluation.findings] == [("appproject-wildcard", "a")]
    assert (evaluation.objects, evaluation.rules) == (2, 1)


def test_an_environments_objects_are_not_asked_what_the_hub_is(ask: Any) -> None:
    assert _rules(ask(Fleet([_realm("prod", _PROJECT)]), only=("appproject-wildcard",))) == []


def test_the_hub_is_asked_only_about_argo_cd(ask: Any) -> None:
    hub = Realm([Document("hub", 0, _PROJECT), Document("hub", 1, _deployment(1))], name="hub", scopes=HUB)
    assert _rules(ask(Fleet([hub]), only=("appproject-wildcard", "pinned-image"))) == [("hub", "appproject-wildcard")]


def test_an_environment_is_compared_with_its_upstreams_alone(ask: Any) -> None:
    dev, staging = _realm("dev", _deployment(9)), _realm("staging", _deployment(2), upstreams=("dev",))
    prod = _realm("prod", _deployment(3), upstreams=("staging",))
    rule = "replicas-not-below-upstream"
    assert _rules(ask(Fleet([dev, staging, prod]), only=(rule,))) == [("staging", rule)]
    both = replace(prod, upstreams=("dev", "staging"))
    assert _rules(ask(Fleet([dev, staging, both]), only=(rule,))) == [("prod", rule), ("staging", rule)]


def test_fleets_do_not_see_each_other(ask: Any) -> None:
    staging, prod = _realm("staging", _deployment(2)), _realm("prod", _deployment(1), upstreams=("staging",))
    rule = "replicas-not-below-upstream"
    assert _rules(ask(Fleet([staging]), Fleet([prod]), only=(rule,))) == []
    assert _rules(ask(Fleet([staging, prod]), only=(rule,))) == [("prod", rule)]


def test_what_is_only_seen_is_asked_nothing_and_still_counted(ask: Any) -> None:
    staging = replace(_realm("staging", _deployment(2)), scopes=frozenset())
    prod = _realm("prod", _deployment(1), upstreams=("staging",))
    evaluation = ask(Fleet([staging, prod]), only=("replicas-not-below-upstream", "pinned-image"))
    assert _rules(evaluation) == [("prod", "pinned-image"), ("prod", "replicas-not-below-upstream")]
    assert (evaluation.objects, evaluation.rules) == (2, 2)


def test_each_environment_has_its_own_parameters(ask: Any) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {}}}
    namespace["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "baseline"}
    rule = "namespace-pod-security"
    dev, prod = (
        replace(_realm(name, namespace), parameters={rule: {"level": level}})
        for name, level in (("dev", "baseline"), ("prod", "restricted"))
    )
    assert _rules(ask(Fleet([dev, prod]), only=(rule,))) == [("prod", rule)]


def test_several_processes_find_what_one_finds(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = _realm("staging", *(_deployment(2, f"app-{number}") for number in range(7)))
    prod = _realm("prod", *(_deployment(1, f"app-{number}") for number in range(7)), upstreams=("staging",))
    fleets = [Fleet([staging, prod]), *by_file([Document("a", 0, _deployment(1)), Document("b", 0, _PROJECT)], {})]
    alone = ask(*fleets)
    monkeypatch.setattr(engine, "_SHARE", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    together = ask(*fleets)
    assert together == alone
    assert together.objects == 16
    assert sum(finding.rule == "replicas-not-below-upstream" for finding in together.findings) == 7


def test_a_process_that_leaves_its_share_out_is_an_error(
    ask: Any, conftest_binary: Path, policies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = tmp_path / "conftest"
    lazy.write_text(
        f'#!/bin/sh\ncase "$*" in *data-1.json*) echo "[]";; *) exec {conftest_binary} "$@";; esac\n', encoding="utf-8"
    )
    lazy.chmod(0o755)
    monkeypatch.setattr(engine, "_SHARE", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with pytest.raises(ToolError, match="conftest did not ask these rules: pinned-image"):
        evaluate_fleets([Fleet([_realm("prod", _deployment(1))])], lazy, policies=policies, only=("pinned-image",))


def _rule(rule: Rule, **defaults: Any) -> Rule:
    parameters = tuple(
        replace(rule.parameters[0], name=name, schema={"default": value}) for name, value in defaults.items()
    )
    return replace(rule, parameters=parameters)


def test_rules_share_a_batch_unless_they_mean_different_things_by_a_name(policies: Path) -> None:
    known = {rule.id: rule for rule in load_rules(policies)}
    model = known["image-registry"]
    rules = [
        replace(_rule(model, level="a", other=1), id="one"),
        replace(_rule(model, level="b"), id="two"),
        replace(_rule(model), id="three"),
        replace(_rule(model, level="a"), id="four"),
    ]
    fleet = Fleet([Realm([Document("a", 0, _deployment(1))], parameters={"four": {"level": "b"}})])
    [asked] = data_document(rules, [fleet])["run"]["asked"].values()
    assert asked["apps/Deployment"] == [
        {"parameters": {"level": "a", "other": 1}, "rules": ["one", "three"]},
        {"parameters": {"level": "b"}, "rules": ["two", "four"]},
    ]


def test_a_case_across_environments_says_whose_an_object_is(policies: Path) -> None:
    def pod(environment: str) -> dict[str, Any]:
        labels = {"cartwright.dev/environment": environment}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": labels}}

    facts = {"apiVersion": "cartwright.dev/v1", "kind": "Facts", "facts": {"history": {}}}
    [case, *_] = load_cases([rule for rule in load_rules(policies) if rule.id == "replicas-not-below-upstream"])
    case = replace(case, objects=(pod("staging"), facts, pod("prod"), pod("staging")))
    [fleet] = fleets_of([case], load_rules(policies))
    seen = [(realm.name, realm.upstreams, len(realm.documents)) for realm in fleet.realms]
    assert seen == [("staging", (), 2), ("", (), 1), ("prod", ("staging",), 1)]
    assert fleet.facts == {"history": {}}
