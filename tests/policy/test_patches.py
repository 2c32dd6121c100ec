"""What is an environment's own in Gatekeeper's objects: kustomize puts it into the shared ones, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cartwright.kernel.run import run
from cartwright.policy.constraints import FOLDER
from cartwright.policy.gatekeeper import Settings, constraint, enforcement
from cartwright.policy.model import Rule, load_rules
from cartwright.policy.parameters import parameters_of
from cartwright.policy.patches import component, component_folder, is_component, overlay
from cartwright.policy.waivers import load_waivers
from cartwright.policy.webhook import OURS
from cartwright.tools import require
from cartwright.tree.applications import find_applications
from cartwright.tree.closure import find_closure
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import find_root, open_tree
from cartwright.yaml.dump import dump_all
from cartwright.yaml.read import load_all

Object = dict[str, Any]
Build = Callable[[str, Mapping[str, str]], list[Object]]

_ROOT = find_root(Path(__file__))
_ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture(scope="module")
def rules() -> dict[str, Rule]:
    """The rules of the cluster by id."""
    return {rule.id: rule for rule in load_rules(_ROOT / "policies") if "admission" in rule.runs_in}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """What kustomize makes of these objects (a name, and a text) and an environment's committed component, or text."""
    kustomize = require(["kustomize"])["kustomize"]

    def build(patches: str, files: Mapping[str, str]) -> list[Object]:
        folder = tmp_path_factory.mktemp("overlay")
        (folder / "parameters").mkdir()
        (folder / "parameters" / "kustomization.yaml").write_text(patches, encoding="utf-8")
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        content = {"resources": list(files), "components": ["parameters"]}
        (folder / "kustomization.yaml").write_text(dump_all([content], width=80), encoding="utf-8")
        return list(load_all(run([kustomize, "build", folder]).stdout, "built"))

    return build


def _shared() -> dict[str, str]:
    names = ("constraints/constraints.yaml", "webhook.yaml")
    return {Path(name).name: (_ROOT / FOLDER / name).read_text(encoding="utf-8") for name in names}


def _component(environment: str) -> str:
    return (_ROOT / component_folder(environment) / "kustomization.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(build: Build) -> dict[str, list[Object]]:
    """The constraints and the webhook of each environment, by its name."""
    return {name: build(_component(name), _shared()) for name in _ENVIRONMENTS}


def _constraints(objects: list[Object]) -> dict[str, Object]:
    return {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "CartwrightRule"}


@pytest.mark.parametrize("environment", _ENVIRONMENTS)
def test_a_constraint_says_what_its_rule_and_its_environment_say(
    built: dict[str, list[Object]], rules: dict[str, Rule], environment: str
) -> None:
    tree = open_tree(_ROOT)
    parameters = parameters_of(tree, load_environments(tree)[environment])
    expected = {}
    for rule in rules.values():
        spec = constraint(rule, parameters.get(rule.id, {}), enforcement(rule), Settings(OURS, owners=True))["spec"]
        spec["match"]["namespaces"] = ["data", "monitoring", "platform", "shop"]
        waived = [
            {
                "apiVersion": one.resource.api_version,
                "kind": one.resource.kind,
                "namespace": one.resource.namespace,
                "name": one.resource.name,
                "message": one.message,
            }
            for one in load_waivers(_ROOT)
            if one.rule == rule.id and environment in one.environments
        ]
        if waived:
            spec["parameters"]["cartwright"]["waivers"] = waived
        expected[rule.id] = yaml.safe_load(dump_all([spec], width=80))
    assert _constraints(built[environment]) == expected


def test_environments_differ_where_their_files_do(built: dict[str, list[Object]]) -> None:
    found = {name: _constraints(objects) for name, objects in built.items()}
    minimum = {name: specs["hpa-bounds"]["parameters"]["minimum"] for name, specs in found.items()}
    assert minimum == {"dev": 2, "staging": 2, "prod": 3}
    tag_only = found["prod"]["pinned-image"]["parameters"]["tagOnly"]
    assert [one.rpartition("/")[2] for one in tag_only] == ["gatekeeper", "prometheus-operator"]


def test_the_webhook_is_asked_about_the_environments_own_namespaces(built: dict[str, list[Object]]) -> None:
    tree = open_tree(_ROOT)
    applications = find_applications(tree, load_environments(tree))
    for environment, objects in built.items():
        (webhook,) = (one for one in objects if one["kind"] == "ValidatingWebhookConfiguration")
        (term,) = webhook["webhooks"][0]["namespaceSelector"]["matchExpressions"]
        namespaces = sorted({one.namespace for one in applications if one.environment == environment})
        assert term == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}


@pytest.mark.parametrize("environment", _ENVIRONMENTS)
def test_each_overlay_takes_the_constraints_and_its_own_parameters(environment: str) -> None:
    paths = [one.path for one in find_closure(open_tree(_ROOT), overlay(environment)).kustomizations]
    assert [one for one in paths if one.endswith(f"{FOLDER}/constraints/kustomization.yaml")] != []
    assert [one for one in paths if is_component(one.rpartition("/")[0])] == [
        f"{component_folder(environment)}/kustomization.yaml"
    ]


def test_a_release_without_the_rule_takes_the_other_parameters(build: Build, built: dict[str, list[Object]]) -> None:
    shared = _shared()
    kept = [one for one in load_all(shared["constraints.yaml"], "shared") if one["metadata"]["name"] != "hpa-bounds"]
    shared["constraints.yaml"] = dump_all(kept, width=80)
    expected = copy.deepcopy(_constraints(built["prod"]))
    del expected["hpa-bounds"]
    assert _constraints(build(_component("prod"), shared)) == expected


_TEXTS = st.one_of(
    st.sampled_from(["on", "1.10", "0777", "2026-01-02", "~", "a: b", "- a", "", " ", "a\nb", "a\n", "#", "{{ x }}"]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=5),
)
_VALUES = st.recursive(
    st.one_of(_TEXTS, st.booleans(), st.integers(-(2**31), 2**31)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
    max_leaves=6,
)
_PARAMETERS = st.dictionaries(st.sampled_from(["a", "b/c", "d~e", "f"]), _VALUES, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(defaults=_PARAMETERS, own=_PARAMETERS)
def test_a_parameter_takes_the_place_of_its_whole_default(
    build: Build, rules: dict[str, Rule], defaults: dict[str, Any], own: dict[str, Any]
) -> None:
    rule = rules["pinned-image"]
    base = constraint(rule, defaults, enforcement(rule), Settings())
    files = {"constraint.yaml": dump_all([base], width=80)}
    patches = component("prod", [rule], parameters={rule.id: own}, waivers=(), namespaces=["shop"])
    (found,) = build(dump_all([patches], width=120), files)
    assert found["spec"]["parameters"] == {"cartwright": {"rule": "pinned-image"}, **rule.defaults, **defaults, **own}


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("environments/prod/platform/gatekeeper/parameters", True),
        ("environments/new/platform/gatekeeper/parameters", True),
        ("environments/prod/platform/gatekeeper", False),
        ("environments/prod/platform/gatekeeper/parameters/more", False),
        ("environments/prod/shop/gatekeeper/parameters", False),
        ("apps/prod/platform/gatekeeper/parameters", False),
        ("environments", False),
        ("", False),
    ],
)
def test_the_component_is_known_by_its_folder(folder: str, expected: bool) -> None:
    assert is_component(folder) is expected
