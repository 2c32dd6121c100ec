"""The rendered policies let through what the map declares, by the word of cyclonus, in every environment."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cartwright.cli import build
from cartwright.kernel.errors import ToolError, UserError
from cartwright.network import DependencyMap, generate, load_dependencies, parse_dependencies, reachability
from cartwright.network.cyclonus import Endpoint, Flow, ask
from cartwright.network.expectation import expect, is_declared
from cartwright.network.reachability import Proof, prove, prove_all
from cartwright.network.surroundings import surroundings
from cartwright.tools import require
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

Objects = list[dict[str, Any]]
FILE = "apps/dependencies.yaml"


@pytest.fixture(scope="module")
def cyclonus() -> Path:
    return require(["cyclonus"])["cyclonus"]


@pytest.fixture(scope="module")
def dependencies() -> DependencyMap:
    return load_dependencies(open_tree(find_root()))


@pytest.fixture(scope="module")
def rendered() -> Objects:
    """Everything of prod."""
    tree = open_tree(find_root())
    applications = [one for one in find_applications(tree, load_environments(tree)) if one.environment == "prod"]
    done, failures = render(tree, applications)
    assert failures == ()
    return [dict(resource.content) for one in done for resource in one.resources]


def policy(objects: Objects, namespace: str, name: str) -> dict[str, Any]:
    (found,) = [
        one
        for one in objects
        if one["kind"] == "NetworkPolicy"
        and one["metadata"] | {"namespace": namespace, "name": name} == one["metadata"]
    ]
    return found


def rule(objects: Objects, app: str, direction: str, peer: str) -> dict[str, Any]:
    """The rule of an app's policy whose peer is an app."""
    namespace, _, name = peer.partition("/")
    key = {"ingress": "from", "egress": "to"}[direction]
    (found,) = [
        one
        for one in policy(objects, *app.split("/"))["spec"][direction]
        for end in one[key]
        if name in str(end.get("podSelector")) and namespace in str(end.get("namespaceSelector"))
    ]
    return found


def test_every_environments_policies_let_through_what_is_declared_and_nothing_else() -> None:
    proofs = prove_all(open_tree(find_root()))
    assert list(proofs) == ["dev", "staging", "prod"]
    for proof in proofs.values():
        assert proof.differences == ()
        assert proof.declared > 50
        assert proof.tried > 100 * proof.declared


def test_what_is_expected_comes_from_the_map_with_the_labels_of_the_rendered_pods(
    dependencies: DependencyMap, rendered: Objects
) -> None:
    around = surroundings(dependencies, rendered)
    expected = expect(dependencies, around)

    def through(source: str, target: str, port: int, protocol: str = "TCP") -> bool:
        return expected[Flow(source, target, port, protocol)].through

    assert through("shop/orders (orders)", "data/postgresql (postgresql)", 5432)
    assert not through("shop/orders (orders)", "data/postgresql (postgresql)", 8080)
    assert not through("shop/gateway", "data/postgresql (postgresql)", 5432)
    assert not through("data/postgresql (postgresql)", "shop/orders (orders)", 8080)
    assert not through("no app in shop", "data/postgresql (postgresql)", 5432)
    assert not through("the labels of shop/orders in another namespace", "data/postgresql (postgresql)", 5432)
    assert through("data/redis", "name resolution", 53, "UDP")
    assert not through("data/redis", "no resolver in kube-system", 53, "UDP")
    assert through("outside the cluster", "shop/gateway", 8080)
    assert not through("outside the cluster", "shop/orders (orders)", 8080)
    assert through("monitoring/prometheus", "outside the cluster", 6443)
    assert not through("monitoring/prometheus", "169.254.169.254, which nothing may reach", 443)
    orders = around.endpoints["shop/orders (orders)"].labels
    assert orders["app.kubernetes.io/component"] == "backend"
    assert around.namespaces["shop"]["pod-security.kubernetes.io/enforce"] == "restricted"


# --- a map with neighbours, external ranges and a cache for names on each node ------------------------------

BESIDE = """\
version: 1
dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, port: 53, nodeLocal: [169.254.20.10]}
outside: {cidrs: [0.0.0.0/0, "::/0"], except: [169.254.169.254/32, "fd00:ec2::254/128"]}
apiServer: {ports: [6443]}
scraper: shop/web
neighbours:
  ingress: {namespace: ingress, labels: {app: nginx}}
  tenants: {namespaceLabels: {tenant: "yes"}}
  vault: {namespace: vault, metrics: 8200}
external:
  database: {hosts: [db.example.com], cidrs: [192.0.2.16/28, "2001:db8:1::/64"]}
apps:
  shop/web:
    outside: [443]
    callers:
      - {from: ingress, port: 8080}
      - {from: tenants, port: 8081}
    calls:
      - {to: shop/orders, port: 8080}
  shop/orders:
    metrics: 9000
    apiServer: true
    calls:
      - {to: database, port: 5432}
      - {to: vault, port: 8200}
"""


@pytest.fixture(scope="module")
def beside() -> tuple[DependencyMap, Objects]:
    """The map and its generated policies, with default-deny."""
    schema = json.loads((find_root() / "apps/dependencies.schema.json").read_text())
    dependencies = parse_dependencies(BESIDE, FILE, schema)
    objects: Objects = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny", "namespace": "shop"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        }
    ]
    for text in generate(dependencies).values():
        objects.append(yaml.safe_load(text))
        objects[-1]["metadata"]["namespace"] = "shop"
    return dependencies, objects


def test_what_is_no_app_is_reached_as_the_map_says(beside: tuple[DependencyMap, Objects], cyclonus: Path) -> None:
    dependencies, objects = beside
    proof = prove(dependencies, objects, cyclonus, environment="prod")
    assert proof.differences == ()
    around = surroundings(dependencies, objects)
    expected = expect(dependencies, around)
    through = {str(flow) for flow, verdict in expected.items() if verdict.through}
    declared = {str(flow) for flow in expected if is_declared(dependencies, around, flow)}
    resolvers = ("name resolution", "name resolution at 169.254.20.10")
    assert declared == {
        *(
            f"{app} → {to} {protocol}/53"
            for app in dependencies.apps
            for to in resolvers
            for protocol in ("TCP", "UDP")
        ),
        "ingress → shop/web TCP/8080",
        "tenants → shop/web TCP/8081",
        "shop/web → shop/orders TCP/8080",
        "shop/web → shop/orders TCP/9000",
        "shop/web → vault TCP/8200",
        "shop/orders → vault TCP/8200",
        "shop/orders → database at 192.0.2.16 TCP/5432",
        "shop/orders → database at 192.0.2.31 TCP/5432",
        "shop/orders → database at 2001:db8:1:: TCP/5432",
        "shop/orders → database at 2001:db8:1:0:ffff:ffff:ffff:ffff TCP/5432",
    }
    assert proof.declared == len(declared)
    assert declared <= through


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        (
            "192.0.2.16/28",
            "192.0.2.0/27",
            {"shop/orders → 192.0.2.15, beside database TCP/5432 gets through, and no edge of {FILE} says so"},
        ),
        (
            "2001:db8:1::/64",
            "2001:db8:1::/65",
            {
                "shop/orders → database at 2001:db8:1:0:ffff:ffff:ffff:ffff TCP/5432 is refused by the egress of "
                "shop/orders, but {FILE} declares it"
            },
        ),
        (
            'tenant: "yes"',
            'tenant: "no"',
            {"tenants → shop/web TCP/8081 is refused by the ingress of shop/web, but {FILE} declares it"},
        ),
        (
            "169.254.20.10/32",
            "169.254.20.11/32",
            {
                f"{app} → {line}"
                for app in ("shop/web", "shop/orders")
                for protocol in ("TCP", "UDP")
                for line in (
                    f"name resolution at 169.254.20.10 {protocol}/53 is refused by the egress of {app}, "
                    "but {FILE} declares it",
                    f"169.254.20.11, beside name resolution {protocol}/53 gets through, "
                    "and no edge of {FILE} says so",
                )
            },
        ),
    ],
    ids=["wider", "ipv6", "namespace labels", "node-local"],
)
def test_a_wrong_range_or_label_of_what_is_no_app_is_told(
    before: str, after: str, differences: set[str], beside: tuple[DependencyMap, Objects], cyclonus: Path
) -> None:
    dependencies, objects = beside
    spoiled = yaml.safe_load(yaml.safe_dump(objects).replace(before.replace('"', "'"), after.replace('"', "'")))
    assert spoiled != objects
    assert set(prove(dependencies, spoiled, cyclonus, environment="prod").differences) == {
        f"prod: {line.replace('{FILE}', FILE)}" for line in differences
    }


# --- policies that are wrong in one place each --------------------------------------------------------


def without_egress(objects: Objects) -> None:
    policy(objects, "shop", "gateway")["spec"]["egress"].remove(rule(objects, "shop/gateway", "egress", "data/redis"))


def without_ingress(objects: Objects) -> None:
    policy(objects, "data", "redis")["spec"]["ingress"].remove(rule(objects, "data/redis", "ingress", "shop/gateway"))


def without_the_policy(objects: Objects) -> None:
    objects.remove(policy(objects, "data", "redis"))


def from_every_namespace(objects: Objects) -> None:
    rule(objects, "data/redis", "ingress", "shop/gateway")["from"][0]["namespaceSelector"] = {}


def on_every_port(objects: Objects) -> None:
    del rule(objects, "shop/gateway", "egress", "data/redis")["ports"]


def on_a_range_of_ports(objects: Objects) -> None:
    (port,) = rule(objects, "data/redis", "ingress", "shop/gateway")["ports"]
    port["endPort"] = 6400


def over_another_protocol(objects: Objects) -> None:
    (port,) = rule(objects, "data/redis", "ingress", "shop/gateway")["ports"]
    port["protocol"] = "UDP"


def for_other_pods(objects: Objects) -> None:
    policy(objects, "data", "redis")["spec"]["podSelector"] = {"matchLabels": {"app.kubernetes.io/name": "rediss"}}


REFUSED = f"shop/gateway → data/redis TCP/6379 is refused by the {{}}, but {FILE} declares it"
EGRESS, INGRESS = REFUSED.format("egress of shop/gateway"), REFUSED.format("ingress of data/redis")


@pytest.mark.parametrize(
    ("spoil", "differences"),
    [
        (without_egress, {EGRESS}),
        (without_ingress, {INGRESS}),
        (
            from_every_namespace,
            {
                "the labels of shop/gateway in another namespace → data/redis TCP/6379 "
                f"gets through, and no edge of {FILE} says so"
            },
        ),
        (
            on_a_range_of_ports,
            {f"shop/gateway → data/redis TCP/6400 may enter data/redis, and no edge of {FILE} says so"},
        ),
        (
            over_another_protocol,
            {INGRESS, f"shop/gateway → data/redis UDP/6379 may enter data/redis, and no edge of {FILE} says so"},
        ),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_wrong_policy_is_told_by_the_pair_and_the_port(
    spoil: Callable[[Objects], None],
    differences: set[str],
    dependencies: DependencyMap,
    rendered: Objects,
    cyclonus: Path,
) -> None:
    objects = copy.deepcopy(rendered)
    spoil(objects)
    assert set(prove(dependencies, objects, cyclonus, environment="prod").differences) == {
        f"prod: {line}" for line in differences
    }


@pytest.mark.parametrize("spoil", [without_the_policy, for_other_pods], ids=lambda one: one.__name__)
def test_an_app_that_its_policy_does_not_select_may_do_nothing_at_all(
    spoil: Callable[[Objects], None], dependencies: DependencyMap, rendered: Objects, cyclonus: Path
) -> None:
    objects = copy.deepcopy(rendered)
    spoil(objects)
    assert set(prove(dependencies, objects, cyclonus, environment="prod").differences) == {
        f"prod: {INGRESS}",
        *(
            f"prod: data/redis → name resolution {protocol}/53 is refused by the egress of data/redis, "
            f"but {FILE} declares it"
            for protocol in ("TCP", "UDP")
        ),
    }


def test_a_rule_without_ports_opens_one_that_nobody_names(
    dependencies: DependencyMap, rendered: Objects, cyclonus: Path
) -> None:
    objects = copy.deepcopy(rendered)
    on_every_port(objects)
    told = prove(dependencies, objects, cyclonus, environment="prod").differences
    for protocol in ("SCTP", "TCP", "UDP"):
        flow = f"shop/gateway → data/redis {protocol}/9"
        assert f"prod: {flow} may leave shop/gateway, and no edge of {FILE} says so" in told
    assert all(line.startswith("prod: shop/gateway → data/redis ") for line in told)


def test_a_namespace_without_default_deny_is_told_by_pods_that_no_policy_selects(
    dependencies: DependencyMap, rendered: Objects, cyclonus: Path
) -> None:
    objects = copy.deepcopy(rendered)
    objects.remove(policy(objects, "shop", "default-deny"))
    told = prove(dependencies, objects, cyclonus, environment="prod").differences
    assert told
    assert all("no app in shop" in line for line in told)
    assert f"prod: no app in shop → outside the cluster TCP/443 gets through, and no edge of {FILE} says so" in told
    assert f"prod: outside the cluster → no app in shop TCP/8080 gets through, and no edge of {FILE} says so" in told
    # The other half still holds: PostgreSQL lets in whom it names.
    flow = "no app in shop → data/postgresql (postgresql) TCP/5432"
    assert f"prod: {flow} may leave no app in shop, and no edge of {FILE} says so" in told


def test_pods_that_the_map_does_not_know_are_an_error(dependencies: DependencyMap, rendered: Objects) -> None:
    objects = copy.deepcopy(rendered)
    (deployment,) = [one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == "gateway"]
    deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] = "gatewya"
    with pytest.raises(UserError, match=r"pods of Deployment shop/gateway belong to no app: .* is 'gatewya'"):
        surroundings(dependencies, objects)


# --- what cyclonus prints ----------------------------------------------------------------------------

ENDPOINTS = (Endpoint("a", "10.0.0.1", "x", {"app": "a"}), Endpoint("b", "10.0.0.2", "y"), Endpoint("out", "192.0.2.1"))
NAMESPACES: Mapping[str, Mapping[str, str]] = {"x": {}, "y": {}}


def test_each_half_is_answered_by_itself(cyclonus: Path) -> None:
    closed = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "y"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    told = ask(cyclonus, [closed], ENDPOINTS, NAMESPACES, [(80, "TCP")])
    assert {(flow.source, flow.target): (verdict.egress, verdict.ingress) for flow, verdict in told.items()} == {
        ("a", "a"): (True, True),
        ("a", "b"): (True, False),
        ("a", "out"): (True, True),
        ("b", "a"): (True, True),
        ("b", "b"): (True, False),
        ("b", "out"): (True, True),
        ("out", "a"): (True, True),
        ("out", "b"): (True, False),
    }


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("", "printed 0 tables where 3 were asked for"),
        ("Ingress:\n| | X/P0000 |\n| x/p0000 | . |\n", "a table of other pods than it was asked for"),
        (
            "Ingress:\n|  | X/P0000 | Y/P0001 |\n| x/p0000 | . | . |\n| y/p0001 | ? | . |\n",
            "no answer but '\\?' in its table 'Ingress'",
        ),
        (
            "".join(
                f"{title}:\n|  | X/P0000 | Y/P0001 |\n| x/p0000 | . | . |\n| y/p0001 | {cell} | . |\n\n"
                for title, cell in (("Ingress", "."), ("Egress", "."), ("Combined", "X"))
            ),
            "contradicts itself: b → a TCP/80",
        ),
    ],
    ids=["nothing", "other pods", "no answer", "a contradiction"],
)
def test_an_answer_that_is_none_is_an_error_and_no_proof(printed: str, message: str, tmp_path: Path) -> None:
    program = tmp_path / "cyclonus"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}END\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(ToolError, match=message):
        ask(program, [], ENDPOINTS, NAMESPACES, [(80, "TCP")])


def test_a_policy_that_cyclonus_can_not_read_is_an_error(cyclonus: Path) -> None:
    with pytest.raises(ToolError, match="unable to parse"):
        ask(cyclonus, [{"kind": "NetworkPolicy", "spec": []}], ENDPOINTS, NAMESPACES, [(80, "TCP")])


def test_the_command_prints_what_differs_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = {
        "dev": Proof(declared=3, tried=10, differences=()),
        "prod": Proof(declared=3, tried=10, differences=tuple(f"prod: line {number}" for number in range(22))),
    }
    monkeypatch.setattr(reachability, "prove_all", lambda _: proofs)
    done = CliRunner().invoke(build("networkpolicies"), ["networkpolicies", "--prove"])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "dev: 3 of 10 tested connections are allowed, exactly those declared",
        *(f"prod: line {number}" for number in range(20)),
        "prod: and 2 more",
    ]
    del proofs["prod"]
    assert CliRunner().invoke(build("networkpolicies"), ["networkpolicies", "--prove"]).exit_code == 0
