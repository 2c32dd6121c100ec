"""NetworkPolicies from the dependency map: exactly the declared edges, and messages that name the line."""

from __future__ import annotations

import ipaddress
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cartwright.cli import build
from cartwright.kernel.errors import UserError
from cartwright.network import DependencyMap, generate, load_dependencies, parse_dependencies
from cartwright.tree.repository import open_tree

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((REPOSITORY / "apps/dependencies.schema.json").read_text())
LABEL = "app.kubernetes.io/name"
HEAD = """\
version: 1
dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, port: 53}
outside: {cidrs: [0.0.0.0/0], except: [169.254.169.254/32]}
apiServer: {ports: [443, 6443]}
"""
DUAL = """\
version: 1
dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, port: 53, nodeLocal: [169.254.20.10, "fd00::10"]}
outside: {cidrs: [0.0.0.0/0, "::/0"], except: [169.254.169.254/32, "fd00:ec2::254/128"]}
apiServer: {ports: [443, 6443]}
"""
BESIDE = """\
neighbours:
  ingress-nginx: {namespace: ingress, labels: {app: ingress-nginx}}
  tenants: {namespaceLabels: {tenant: "yes"}}
external:
  database: {hosts: [db.example.com], cidrs: [192.0.2.0/28, "2001:db8:1::/64"]}
  everything: {cidrs: [0.0.0.0/0]}
"""
SMALL = (
    HEAD
    + """\
scraper: monitoring/prometheus
apps:
  shop/catalog:
    pods: [catalog, catalog-migration]
    metrics: 8080
    calls:
      - {to: data/postgresql, port: 5432}
  data/postgresql:
    calls: []
  monitoring/prometheus:
    calls: []
"""
)


def parsed(text: str) -> DependencyMap:
    return parse_dependencies(text, "apps/dependencies.yaml", SCHEMA)


# --- a small evaluator of what NetworkPolicies permit ---------------------------------------------


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: tuple[tuple[str, str], ...]
    namespace_labels: tuple[tuple[str, str], ...] = ()


OUTSIDE = "203.0.113.7"


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def _peer_matches(peer: dict[str, Any], other: Pod | str) -> bool:
    """Whether a peer of a rule is the other end. An ipBlock means addresses outside, never pods."""
    if isinstance(other, str):
        return "ipBlock" in peer and _includes(peer["ipBlock"], other)
    if "ipBlock" in peer:
        return False
    namespace = {"kubernetes.io/metadata.name": other.namespace, **dict(other.namespace_labels)}
    return _selects(peer["namespaceSelector"], namespace) and _selects(peer.get("podSelector", {}), dict(other.labels))


def _includes(block: dict[str, Any], address: str) -> bool:
    place = ipaddress.ip_address(address)
    return place in ipaddress.ip_network(block["cidr"]) and not any(
        place in ipaddress.ip_network(one) for one in block.get("except", ())
    )


def _half(
    policies: list[tuple[str, dict[str, Any]]], direction: str, pod: Pod, other: Pod | str, port: int, protocol: str
) -> bool:
    """Whether the policies of ``pod`` let it talk (egress) or be talked to (ingress); the rest is denied."""
    key = {"ingress": "from", "egress": "to"}[direction]
    return any(
        any(_peer_matches(peer, other) for peer in rule[key]) and {"protocol": protocol, "port": port} in rule["ports"]
        for namespace, policy in policies
        if namespace == pod.namespace and _selects(policy["spec"]["podSelector"], dict(pod.labels))
        for rule in policy["spec"][direction]
    )


def _policies(dependencies: DependencyMap) -> list[tuple[str, dict[str, Any]]]:
    return [(path.split("/")[1], yaml.safe_load(text)) for path, text in generate(dependencies).items()]


def _pods_of(dependencies: DependencyMap, key: str) -> Iterator[Pod]:
    for name in dependencies.apps[key].pods:
        yield Pod(key.split("/", maxsplit=1)[0], ((LABEL, name),))


names = st.from_regex(r"\A[a-z](?:[-a-z0-9]{0,8}[a-z0-9])?\Z")
ports = st.sampled_from([53, 443, 5432, 8080])


@st.composite
def maps(draw: st.DrawFn) -> str:
    keys = draw(
        st.lists(st.tuples(st.sampled_from(["shop", "data", "on"]), names), min_size=1, max_size=5, unique=True)
    )
    apps = ["/".join(key) for key in keys]
    entries: dict[str, Any] = {}
    for app in apps:
        calls = draw(st.lists(st.tuples(st.sampled_from(apps), ports), max_size=4, unique=True))
        entry: dict[str, Any] = {"calls": [{"to": to, "port": port} for to, port in calls]}
        if draw(st.booleans()):
            entry["pods"] = [app.split("/")[1], app.split("/")[1] + "-job"]
        if draw(st.booleans()):
            entry["metrics"] = draw(ports)
        if draw(st.booleans()):
            entry["outside"] = [draw(ports)]
        if draw(st.booleans()):
            entry["apiServer"] = True
        entries[app] = entry
    return HEAD + yaml.safe_dump({"scraper": draw(st.sampled_from(apps)), "apps": entries})


@settings(deadline=None, max_examples=60)
@given(maps())
def test_the_generated_policies_permit_exactly_the_declared_edges_in_both_directions(text: str) -> None:
    dependencies = parsed(text)
    policies = _policies(dependencies)
    declared = {(key, call.to, call.port) for key, app in dependencies.apps.items() for call in app.calls}
    declared |= {
        (dependencies.scraper, key, app.metrics) for key, app in dependencies.apps.items() if app.metrics is not None
    }
    by_pod: dict[Pod, set[str]] = {}
    for key in dependencies.apps:
        for pod in _pods_of(dependencies, key):
            by_pod.setdefault(pod, set()).add(key)
    resolver = Pod("kube-system", (("k8s-app", "kube-dns"),))
    for source, callers in by_pod.items():
        for port in (53, 443, 5432, 6443, 8080):
            for target, called in by_pod.items():
                edge = any((a, b, port) in declared for a in callers for b in called)
                assert _half(policies, "egress", source, target, port, "TCP") is edge
                assert _half(policies, "ingress", target, source, port, "TCP") is edge
                assert not _half(policies, "egress", source, target, port, "UDP")
            for protocol in ("TCP", "UDP"):
                assert _half(policies, "egress", source, resolver, port, protocol) is (port == 53)
            api = port in (443, 6443) and any(dependencies.apps[key].api_server for key in callers)
            assert _half(policies, "egress", source, OUTSIDE, port, "TCP") is api
            opened = any(port in dependencies.apps[key].outside for key in callers)
            assert _half(policies, "ingress", source, OUTSIDE, port, "TCP") is opened
            stranger = Pod("default", ((LABEL, "stranger"),))
            assert not _half(policies, "ingress", source, stranger, port, "TCP")
            assert not _half(policies, "egress", source, stranger, port, "TCP")


INGRESS = Pod("ingress", (("app", "ingress-nginx"),))
NO_INGRESS = Pod("ingress", (("app", "other"),))
TENANT = Pod("anywhere", (), (("tenant", "yes"),))
ADDRESSES = {
    "192.0.2.15": {"database", "everything", "outside"},
    "192.0.2.16": {"everything", "outside"},
    "2001:db8:1::1": {"database", "outside"},
    "2001:db8:2::1": {"outside"},
    "169.254.169.254": set(),
    "fd00:ec2::254": set(),
    "169.254.20.10": {"everything", "outside", "resolver"},
    "fd00::10": {"outside", "resolver"},
}
"""What each address belongs to."""
peers = st.sampled_from(["database", "everything", "ingress-nginx", "tenants"])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(peers, ports), max_size=5, unique=True),
    st.lists(st.tuples(st.sampled_from(["ingress-nginx", "tenants"]), ports), max_size=3, unique=True),
    st.lists(ports, min_size=1, max_size=2, unique=True),
    st.booleans(),
)
def test_edges_with_what_is_no_app_are_open_as_declared_and_no_wider(
    calls: list[tuple[str, int]], callers: list[tuple[str, int]], outside: list[int], api: bool
) -> None:
    entry = {
        "outside": outside,
        "apiServer": api,
        "callers": [{"from": name, "port": port} for name, port in callers],
        "calls": [{"to": name, "port": port} for name, port in calls],
    }
    dependencies = parsed(DUAL + BESIDE + yaml.safe_dump({"scraper": "shop/on", "apps": {"shop/on": entry}}))
    policies = _policies(dependencies)
    app = Pod("shop", ((LABEL, "on"),))
    for port in (53, 443, 5432, 6443, 8080):
        for address, owners in ADDRESSES.items():
            leaves = any(name in owners and number == port for name, number in calls)
            leaves |= "resolver" in owners and port == 53
            leaves |= "outside" in owners and api and port in (443, 6443)
            assert _half(policies, "egress", app, address, port, "TCP") is leaves
            assert _half(policies, "egress", app, address, port, "UDP") is ("resolver" in owners and port == 53)
            assert _half(policies, "ingress", app, address, port, "TCP") is ("outside" in owners and port in outside)
        for pod, name in ((INGRESS, "ingress-nginx"), (NO_INGRESS, ""), (TENANT, "tenants")):
            assert _half(policies, "egress", app, pod, port, "TCP") is ((name, port) in calls)
            assert _half(policies, "ingress", app, pod, port, "TCP") is ((name, port) in callers)


def test_a_call_to_something_external_names_its_hosts_for_people() -> None:
    apps = "scraper: shop/on\napps:\n  shop/on:\n    calls:\n      - {to: database, port: 5432}\n"
    lines = generate(parsed(DUAL + BESIDE + apps))["apps/shop/on/networkpolicy.yaml"].splitlines()
    start = lines.index("    # database (db.example.com)")
    assert lines[start + 1 :] == [
        "    - to:",
        "        - ipBlock:",
        "            cidr: 192.0.2.0/28",
        "        - ipBlock:",
        '            cidr: "2001:db8:1::/64"',
        "      ports:",
        "        - {protocol: TCP, port: 5432}",
    ]


def test_every_policy_governs_both_directions_even_where_nothing_calls_the_app() -> None:
    for path, text in generate(parsed(SMALL)).items():
        spec = yaml.safe_load(text)["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"], path
        assert isinstance(spec["ingress"], list), path
        assert spec["egress"], path


def test_names_that_yaml_reads_as_something_else_stay_text() -> None:
    text = HEAD + "scraper: shop/on\napps:\n  shop/on:\n    pods: ['on', '1e3', '0777']\n    calls: []\n"
    policy = yaml.safe_load(generate(parsed(text))["apps/shop/on/networkpolicy.yaml"])
    assert policy["metadata"]["name"] == "on"
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == ["on", "1e3", "0777"]


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line", "message", "hint"),
    [
        pytest.param(
            ("metrics: 8080", "metricz: 8080"),
            9,
            "unknown key 'metricz'",
            "did you mean 'metrics'?",
            id="typo of a key",
        ),
        pytest.param(
            ("to: data/postgresql", "to: data/postgres"),
            11,
            "no app, neighbour or external 'data/postgres'",
            "did you mean 'data/postgresql'?",
            id="typo of a callee",
        ),
        pytest.param(
            ("scraper: monitoring", "scraper: monitorin"),
            5,
            "no app 'monitorin/prometheus'",
            "did you mean 'monitoring/prometheus'?",
            id="typo of the scraper",
        ),
        pytest.param(("port: 5432", "port: 65536"), 11, "65536 is greater than the maximum of 65535", None, id="port"),
        pytest.param(
            ("0.0.0.0/0", "10.0.0.1/8"), 3, "10.0.0.1/8 has host bits set", "write 10.0.0.0/8", id="host bits"
        ),
        pytest.param(
            ("  data/postgresql:", "  shop/catalog:"),
            12,
            "the key 'shop/catalog' is already in line 7",
            None,
            id="twice",
        ),
    ],
)
def test_a_mistake_is_named_with_line_and_remedy(
    change: tuple[str, str], line: int, message: str, hint: str | None
) -> None:
    with pytest.raises(UserError) as caught:
        parsed(SMALL.replace(*change))
    assert caught.value.file == "apps/dependencies.yaml"
    assert caught.value.line == line
    assert message in caught.value.message
    assert caught.value.hint == hint


MIXED = (
    DUAL
    + BESIDE
    + """\
scraper: shop/on
apps:
  shop/on:
    callers:
      - {from: ingress-nginx, port: 8080}
    calls:
      - {to: database, port: 5432}
"""
)


@pytest.mark.parametrize(
    ("change", "line", "message", "hint"),
    [
        pytest.param(
            ("cidrs: [192.0.2.0/28", "cidrs: [db.example.com"),
            9,
            "'db.example.com' is a host name, and a NetworkPolicy holds addresses only",
            "name it under 'hosts', and under 'cidrs' the ranges that it resolves to",
            id="a host name as range",
        ),
        pytest.param(
            (', cidrs: [192.0.2.0/28, "2001:db8:1::/64"]', ""),
            9,
            "external.database has no 'cidrs': a NetworkPolicy holds addresses, not host names",
            "add 'cidrs' with the ranges that db.example.com resolves to",
            id="a host name alone",
        ),
        pytest.param(
            ("192.0.2.0/28", "192.0.2.7"), 9, "'192.0.2.7' is one address, not a range", "write 192.0.2.7/32", id="one"
        ),
        pytest.param(
            ("2001:db8:1::/64", "2001:db8:1::/129"),
            9,
            "'2001:db8:1::/129' does not appear to be an IPv4 or IPv6 network",
            "such as 10.20.0.0/16 or 2001:db8::/32",
            id="a prefix that is too long",
        ),
        pytest.param(
            ("192.0.2.0/28", "192.0.2.0/255.255.255.240"),
            9,
            "'192.0.2.0/255.255.255.240' is not a range of addresses",
            "such as 10.20.0.0/16 or 2001:db8::/32",
            id="a netmask",
        ),
        pytest.param(
            ("192.0.2.0/28", "169.254.169.254/32"),
            9,
            "169.254.169.254/32 lies in 169.254.169.254/32, which nothing may reach",
            "see outside.except",
            id="the metadata service",
        ),
        pytest.param(
            ("169.254.20.10", "node-local"),
            2,
            "'node-local' is not an address",
            "such as 169.254.20.10 or fd00::10",
            id="no address of the cache",
        ),
        pytest.param(
            ("{cidrs: [0.0.0.0/0]}", "{cidr: [0.0.0.0/0]}"),
            10,
            "external.everything: unknown key 'cidr'",
            "did you mean 'cidrs'?",
            id="typo of a key",
        ),
        pytest.param(
            ("to: database", "to: databse"),
            17,
            "no app, neighbour or external 'databse'",
            "did you mean 'database'?",
            id="typo of an external",
        ),
        pytest.param(
            ("from: ingress-nginx", "from: ingress-ngnix"),
            15,
            "no neighbour 'ingress-ngnix'",
            "did you mean 'ingress-nginx'?",
            id="typo of a neighbour",
        ),
        pytest.param(
            ("from: ingress-nginx", "from: shop/on"),
            15,
            "'shop/on' is an app",
            "write the edge under apps.shop/on.calls",
            id="an app as caller",
        ),
        pytest.param(
            ("  everything:", "  tenants:"), 10, "'tenants' is a neighbour too", "give it another name here", id="twice"
        ),
        pytest.param(
            ("  tenants:", "  shop/on:"),
            7,
            "'shop/on' is an app too",
            "give the neighbour another name",
            id="the name of an app",
        ),
    ],
)
def test_a_mistake_about_what_is_no_app_is_named_with_line_and_remedy(
    change: tuple[str, str], line: int, message: str, hint: str | None
) -> None:
    parsed(MIXED)
    with pytest.raises(UserError) as caught:
        parsed(MIXED.replace(*change))
    assert (caught.value.file, caught.value.line) == ("apps/dependencies.yaml", line)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("given", ["", "namespace: ingress, namespaceLabels: {a: b}, "], ids=["neither", "both"])
def test_a_neighbour_has_a_namespace_or_labels_of_namespaces(given: str) -> None:
    with pytest.raises(UserError) as caught:
        parsed(MIXED.replace("namespace: ingress, ", given))
    assert str(caught.value) == (
        "apps/dependencies.yaml:6: neighbours.ingress-nginx needs either 'namespace' or 'namespaceLabels' "
        "(state one of them)"
    )


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "argocd").mkdir()
    (tmp_path / "argocd/root.yaml").write_text("")
    for app in ("shop/catalog", "data/postgresql", "monitoring/prometheus", "components/autoscaling"):
        folder = tmp_path / "apps" / app
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text("resources: []\n")
    (tmp_path / "apps/dependencies.yaml").write_text(SMALL)
    shutil.copy(REPOSITORY / "apps/dependencies.schema.json", tmp_path / "apps")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cartwright(*words: str) -> Any:
    return CliRunner().invoke(build("networkpolicies"), ["networkpolicies", *words])


def test_check_names_the_stale_files_and_writes_nothing(repository: Path) -> None:
    assert cartwright().exit_code == 0
    changed = repository / "apps/shop/catalog/networkpolicy.yaml"
    changed.write_text(changed.read_text().replace("5432", "5433"))
    missing = repository / "apps/data/postgresql/networkpolicy.yaml"
    missing.unlink()
    result = cartwright("--check")
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "apps/data/postgresql/networkpolicy.yaml",
        "apps/shop/catalog/networkpolicy.yaml",
    ]
    assert not missing.exists()
    assert "5433" in changed.read_text()


def test_writing_makes_the_check_pass_and_leaves_current_files_alone(repository: Path) -> None:
    first = cartwright()
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.splitlines()[-1] == "3 network policies, 3 written"
    before = (repository / "apps/shop/catalog/networkpolicy.yaml").stat()
    assert cartwright().stdout == "3 network policies, 0 written\n"
    assert (repository / "apps/shop/catalog/networkpolicy.yaml").stat().st_mtime_ns == before.st_mtime_ns
    assert cartwright("--check").exit_code == 0
    assert not list(repository.rglob("*.new"))


def test_a_folder_that_cannot_be_written_leaves_every_policy_as_it_was(repository: Path) -> None:
    # A folder in the file's place fails for root too, whom permissions do not stop.
    blocker = repository / "apps/shop/catalog/networkpolicy.yaml"
    blocker.mkdir()
    result = cartwright()
    assert isinstance(result.exception, UserError)
    assert result.exception.file == "apps/shop/catalog/networkpolicy.yaml"
    assert list(repository.rglob("*networkpolicy.yaml*")) == [blocker]


def test_an_app_without_entry_and_an_entry_without_app_are_named(repository: Path) -> None:
    folder = repository / "apps/shop/orders"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(UserError, match="apps/shop/orders has no entry"):
        load_dependencies(open_tree(repository))
    shutil.rmtree(folder)
    shutil.rmtree(repository / "apps/data")
    with pytest.raises(UserError, match="apps/data/postgresql is not the folder of an app") as caught:
        load_dependencies(open_tree(repository))
    assert caught.value.line == 12


def test_the_committed_policies_are_current() -> None:
    for path, text in generate(load_dependencies(open_tree(REPOSITORY))).items():
        assert (REPOSITORY / path).read_text() == text, f"{path}: run `cartwright networkpolicies`"
