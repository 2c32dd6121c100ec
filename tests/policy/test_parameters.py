"""Parameters that follow from the repository, and what the rules make of them."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cartwright.kernel.errors import UserError
from cartwright.kernel.run import run
from cartwright.network import generate, load_dependencies
from cartwright.policy.engine import Evaluation
from cartwright.policy.model import load_rules
from cartwright.policy.parameters import kubernetes_version, parameters_of
from cartwright.tools import load_catalogue
from cartwright.tree.environments import Environment, load_environments
from cartwright.tree.repository import FolderTree, Tree, open_tree

Judge = Callable[..., Evaluation]
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return open_tree(_ROOT)


@pytest.fixture(scope="module")
def prod(tree: Tree) -> Environment:
    return load_environments(tree)["prod"]


def _pods(namespace: str, name: str) -> dict[str, Any]:
    return {"namespace": namespace, "labels": {"app.kubernetes.io/name": name}}


def _policies(tree: Tree) -> list[dict[str, Any]]:
    """The generated policies, each in its namespace."""
    made = []
    for path, text in generate(load_dependencies(tree)).items():
        policy = yaml.safe_load(text)
        policy["metadata"]["namespace"] = path.split("/")[1]
        made.append(policy)
    return made


def test_what_an_environment_says_itself_is_kept(tree: Tree, prod: Environment) -> None:
    values = parameters_of(tree, prod)
    assert values["namespace-pod-security"] == {"level": "restricted"}
    assert values["secret-key-reference"]["provided"]["data/redis-auth"] == ["password"]


def test_edges_are_those_of_the_map_between_single_groups_of_pods(tree: Tree, prod: Environment) -> None:
    edges = parameters_of(tree, prod)["declared-edges"]["edges"]
    outside = {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}
    assert {"from": _pods("shop", "orders"), "to": _pods("shop", "catalog"), "ports": ["TCP/8080"]} in edges
    assert {
        "from": _pods("shop", "orders-migration"),
        "to": _pods("data", "postgresql"),
        "ports": ["TCP/5432"],
    } in edges
    assert {"from": outside, "to": _pods("shop", "gateway"), "ports": ["TCP/8080"]} in edges
    assert {"from": _pods("monitoring", "prometheus"), "to": outside, "ports": ["TCP/443", "TCP/6443"]} in edges
    assert {"from": _pods("monitoring", "prometheus"), "to": _pods("shop", "gateway"), "ports": ["TCP/8080"]} in edges
    resolver = {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    assert {"from": _pods("data", "redis"), "to": resolver, "ports": ["UDP/53", "TCP/53"]} in edges
    assert not [edge for edge in edges if edge["from"] == _pods("shop", "gateway") and "TCP/5432" in edge["ports"]]


def test_the_generated_policies_open_declared_edges_and_nothing_else(
    tree: Tree, prod: Environment, judge: Judge
) -> None:
    evaluation = judge(_policies(tree), parameters=parameters_of(tree, prod), only=["declared-edges"])
    assert evaluation.findings == ()


BESIDE = """\
version: 1
dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, port: 53, nodeLocal: [169.254.20.10]}
outside: {cidrs: [0.0.0.0/0, "::/0"], except: [169.254.169.254/32, "fd00:ec2::254/128"]}
apiServer: {ports: [443]}
scraper: shop/on
neighbours:
  ingress: {namespace: ingress, labels: {app: nginx}}
  tenants: {namespaceLabels: {kubernetes.io/metadata.name: web, tenant: "yes"}}
external:
  database: {cidrs: [192.0.2.0/28, "2001:db8:1::/64"]}
  internet: {cidrs: [0.0.0.0/0]}
apps:
  shop/on:
    outside: [8080]
    apiServer: true
    callers:
      - {from: ingress, port: 8080}
      - {from: tenants, port: 8081}
    calls:
      - {to: database, port: 5432}
      - {to: internet, port: 443}
      - {to: tenants, port: 80}
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> FolderTree:
    """A map with neighbours, external ranges and a cache for names on each node."""
    root = tmp_path_factory.mktemp("beside")
    (root / "apps/shop/on").mkdir(parents=True)
    (root / "apps/shop/on/kustomization.yaml").write_text("resources: []\n")
    (root / "apps/dependencies.yaml").write_text(BESIDE)
    shutil.copy(_ROOT / "apps/dependencies.schema.json", root / "apps")
    for rule in ("declared-edges", "open-cidr-excludes-metadata"):
        (root / "policies/rules" / rule).mkdir(parents=True)
        shutil.copy(_ROOT / f"policies/rules/{rule}/rule.rego", root / f"policies/rules/{rule}")
    return FolderTree(root)


def test_what_the_map_says_of_what_is_no_app_is_declared(beside: FolderTree, prod: Environment, judge: Judge) -> None:
    parameters = parameters_of(beside, prod)
    only = ["declared-edges", "open-cidr-excludes-metadata"]
    assert judge(_policies(beside), parameters=parameters, only=only).findings == ()


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("192.0.2.0/28", "192.0.2.0/27", "egress to 192.0.2.0/27 on TCP/5432"),
        ("2001:db8:1::/64", "2001:db8::/48", "egress to 2001:db8::/48 on TCP/5432"),
        ("169.254.20.10/32", "169.254.20.0/24", "egress to 169.254.20.0/24 on TCP/53"),
        ("app: nginx", "app: apache", "ingress from pods of ingress (app=apache) on TCP/8080"),
        (
            'tenant: "yes"',
            'tenant: "no"',
            "ingress from pods of web (all) on TCP/8081",
        ),
        ("port: 8081", "port: 8082", "ingress from pods of web (all) on TCP/8082"),
    ],
    ids=["range", "ipv6", "node-local", "labels", "namespace labels", "port"],
)
def test_more_than_the_map_says_of_what_is_no_app_is_found(
    before: str, after: str, found: str, beside: FolderTree, prod: Environment, judge: Judge
) -> None:
    (text,) = generate(load_dependencies(beside)).values()
    assert before in text
    policy = yaml.safe_load(text.replace(before, after))
    policy["metadata"]["namespace"] = "shop"
    told = judge([policy], parameters=parameters_of(beside, prod), only=["declared-edges"]).findings
    remedy = "declare it in apps/dependencies.yaml or remove it"
    assert f"NetworkPolicy/on: {found} is not declared; {remedy}" in [one.message for one in told]


def test_an_edge_that_leaves_the_map_is_found_at_both_ends(tree: Tree, prod: Environment, judge: Judge) -> None:
    values = parameters_of(tree, prod)
    gone = {"from": _pods("shop", "gateway"), "to": _pods("data", "redis"), "ports": ["TCP/6379"]}
    kept = [edge for edge in values["declared-edges"]["edges"] if edge != gone]
    assert len(kept) == len(values["declared-edges"]["edges"]) - 1
    evaluation = judge(_policies(tree), parameters={"declared-edges": {"edges": kept}}, only=["declared-edges"])
    assert {(one.resource.namespace, one.resource.name, one.field[1]) for one in evaluation.findings} == {
        ("shop", "gateway", "egress"),
        ("data", "redis", "ingress"),
    }


def test_a_tag_alone_may_name_only_the_repositories_that_an_environment_lists(judge: Judge) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"containers": [{"name": name, "image": f"quay.io/{name}/tool:1.0.0"} for name in ("a", "b")]},
    }
    told = judge([pod], parameters={"pinned-image": {"tagOnly": ["quay.io/a/tool"]}}, only=["pinned-image"]).findings
    assert [one.message for one in told] == [
        "Pod/a, container b: image quay.io/b/tool:1.0.0 has no digest; pin it as name:tag@sha256:digest"
    ]


def test_resolvers_are_those_of_the_map(tree: Tree, prod: Environment) -> None:
    assert parameters_of(tree, prod)["dns-egress-allowed"] == {
        "resolvers": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "port": 53}
    }


def test_the_version_of_kubernetes_is_the_pinned_one(tree: Tree, prod: Environment) -> None:
    values = parameters_of(tree, prod)
    assert load_catalogue()["kube-apiserver"].version.startswith(f"v{kubernetes_version()}.")
    assert values["removed-api"] == values["deprecated-api"] == {"kubernetes": kubernetes_version()}


def test_a_derived_parameter_is_not_written_a_second_time(tree: Tree, prod: Environment) -> None:
    doubled = dataclasses.replace(prod, parameters={"removed-api": {"kubernetes": "1.20"}})
    with pytest.raises(UserError) as caught:
        parameters_of(tree, doubled)
    assert caught.value.file == "environments/prod/environment.yaml"
    assert "parameter kubernetes of removed-api is derived from the repository" in str(caught.value)


def test_without_a_map_or_a_rule_nothing_is_derived_from_it(prod: Environment, tmp_path: Path) -> None:
    rule = tmp_path / "policies" / "rules" / "declared-edges"
    rule.mkdir(parents=True)
    shutil.copy(_ROOT / "policies/rules/declared-edges/rule.rego", rule)
    bare = dataclasses.replace(prod, parameters={"pinned-image": {}})
    assert parameters_of(FolderTree(tmp_path), bare) == {"pinned-image": {}}


def test_a_broken_map_is_named(prod: Environment, tmp_path: Path) -> None:
    for path in ("apps/dependencies.yaml", "apps/dependencies.schema.json", "policies/rules/declared-edges/rule.rego"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / path, tmp_path / path)
    file = tmp_path / "apps/dependencies.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("to: data/redis", "to: data/reddis"), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        parameters_of(FolderTree(tmp_path), prod)
    assert caught.value.file == "apps/dependencies.yaml"
    assert caught.value.line == next(
        number for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1) if "reddis" in line
    )


def _pod_with_secret(name: str, key: str) -> dict[str, Any]:
    variable = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-{key}", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "env": [variable]}]},
    }


def test_the_secret_store_brings_what_is_declared_and_no_other_key(judge: Judge) -> None:
    provided = {"shop/*-database": ["password"], "data/redis-auth": ["password"]}
    pods = [
        _pod_with_secret("catalog-database", "password"),
        _pod_with_secret("catalog-database", "user"),
        _pod_with_secret("catalog-databse", "password"),
        _pod_with_secret("redis-auth", "password"),
    ]
    evaluation = judge(pods, parameters={"secret-key-reference": {"provided": provided}}, only=["secret-key-reference"])
    assert [one.resource.name for one in evaluation.findings] == [
        "catalog-database-user",
        "catalog-databse-password",
        "redis-auth-password",
    ]


@pytest.mark.parametrize(
    ("kubernetes", "removed", "deprecated"),
    [("1.20", False, False), ("1.21", False, True), ("1.24", False, True), ("1.25", True, False), ("", True, False)],
)
def test_an_api_version_is_judged_at_the_clusters_version(
    judge: Judge, kubernetes: str, removed: bool, deprecated: bool
) -> None:
    budget = {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}}
    parameters = {rule: {"kubernetes": kubernetes} for rule in ("removed-api", "deprecated-api")}
    evaluation = judge([budget], parameters=parameters, only=list(parameters))
    assert {one.rule for one in evaluation.findings} == {
        rule for rule, fires in (("removed-api", removed), ("deprecated-api", deprecated)) if fires
    }


def test_exempt_services_and_bindings_are_meant(judge: Judge) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "entrance", "namespace": "edge"},
        "spec": {"type": "LoadBalancer"},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "emergency"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    }
    rules = ["service-exposure", "cluster-admin-binding"]
    assert {one.rule for one in judge([service, binding], only=rules).findings} == set(rules)
    meant = {"service-exposure": {"exempt": ["edge/entrance"]}, "cluster-admin-binding": {"exempt": ["emergency"]}}
    assert judge([service, binding], parameters=meant, only=rules).findings == ()


def test_rules_about_api_versions_are_asked_of_every_kind_in_the_table(
    policies: Path, lifecycle: Mapping[str, Mapping[str, tuple[str, str, str]]]
) -> None:
    asked = {rule.id: {(kind.group, kind.kind) for kind in rule.kinds} for rule in load_rules(policies)}
    table = {
        (version.rpartition("/")[0], kind): end for version, kinds in lifecycle.items() for kind, end in kinds.items()
    }
    assert asked["deprecated-api"] == set(table)
    ending = {
        (version.rpartition("/")[0], kind)
        for version, kinds in lifecycle.items()
        for kind, end in kinds.items()
        if end[1]
    }
    assert asked["removed-api"] == ending


_NEVER_IN_A_MANIFEST = re.compile(r"Review$|Rollback$|^Scale$|^Eviction$|^APIGroupDiscovery$|List$")
_LIFE = re.compile(
    r"func \(in \*(\w+)\) APILifecycle(Deprecated|Removed)\(\) \(major, minor int\) \{\n\treturn (\d+), (\d+)"
)


def test_the_table_says_what_the_pinned_api_says_of_itself(
    lifecycle: Mapping[str, Mapping[str, tuple[str, str, str]]],
) -> None:
    version = load_catalogue()["kube-apiserver"].version.removeprefix("v1")
    modules = Path(run(["go", "env", "GOMODCACHE"]).stdout.strip())
    source = modules / "k8s.io" / f"api@v0{version}"
    if not source.is_dir():
        pytest.skip("Go's module cache has no k8s.io/api: test_api_lifecycle.py asks the API server instead")
    stated: dict[tuple[str, str], tuple[str, str]] = {}
    for file in sorted(source.glob("*/*/zz_generated.prerelease-lifecycle.go")):
        register = (file.parent / "register.go").read_text(encoding="utf-8")
        [group] = re.findall(r'GroupName\s*=\s*"([^"]*)"', register)
        ends: dict[str, dict[str, str]] = {}
        for kind, what, major, minor in _LIFE.findall(file.read_text(encoding="utf-8")):
            ends.setdefault(kind, {})[what] = f"{major}.{minor}"
        for kind, end in ends.items():
            if "Deprecated" in end and not _NEVER_IN_A_MANIFEST.search(kind):
                stated[f"{group}/{file.parent.name}".lstrip("/"), kind] = (end["Deprecated"], end.get("Removed", ""))
    assert len(stated) > 50
    table = {(version, kind): end[:2] for version, kinds in lifecycle.items() for kind, end in kinds.items()}
    assert {one: table.get(one) for one in stated} == stated
