"""The real node's parts that need no node: configuration, placement, volumes, images of Debian's packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from cartwright.cluster.kwok import kwok_configuration
from cartwright.cluster.node import configuration, firewall, machine
from cartwright.cluster.node.layout import NodeLayout
from cartwright.cluster.node.lifecycle import NAMESPACES
from cartwright.cluster.node.objects import HELPER_LABEL, node_objects, placement
from cartwright.cluster.state import Layout
from cartwright.images.push import configuration as registry_configuration
from cartwright.kernel.errors import ClusterError
from cartwright.network import load_dependencies
from cartwright.tree.repository import find_root, open_tree


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    return NodeLayout.of(Layout(tmp_path / "state"))


def test_containerd_takes_every_name_from_the_mirrors_and_mounts_below_its_own_folder(node: NodeLayout) -> None:
    settings = tomllib.loads(
        configuration.containerd(node, sandbox_image="ghcr.io/x/sandbox:1@sha256:ab", snapshotter="overlayfs")
    )
    cri = settings["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "ghcr.io/x/sandbox:1@sha256:ab"
    assert cri["registry"]["config_path"] == str(node.config / "registries")
    assert cri["restrict_oom_score_adj"] is True
    assert cri["netns_mounts_under_state_dir"] is True
    assert Path(settings["state"]).is_relative_to(node.run)
    assert len(settings["grpc"]["address"]) < 100  # a socket's path has 108 bytes at most
    hosts = tomllib.loads(configuration.mirror("ghcr.io", port=5001))
    assert hosts["host"] == {"http://127.0.0.1:5001": {"capabilities": ["pull", "resolve"]}}


def test_pods_get_addresses_that_are_not_the_nodes(node: NodeLayout) -> None:
    network = json.loads(configuration.cni(node))
    (plugin,) = network["plugins"]
    assert plugin["type"] == "ptp"
    assert plugin["ipMasq"] is False
    assert node.address not in node.pods


def test_two_clusters_on_one_machine_have_names_of_their_own(tmp_path: Path) -> None:
    one, other = (NodeLayout.of(Layout(tmp_path / name)) for name in ("one", "other"))
    assert one.device != other.device
    assert one.run != other.run
    assert len(one.device) <= 15  # IFNAMSIZ less its zero byte


def _stage(name: str) -> dict[str, Any]:
    """A stage of KWOK's configuration."""
    documents = yaml.safe_load_all(kwok_configuration())
    (stage,) = [one for one in documents if (one["kind"], one["metadata"]["name"]) == ("Stage", name)]
    return dict(stage)


def test_only_the_chosen_namespaces_are_real_and_volume_helpers_choose_for_themselves() -> None:
    policy, binding = placement(NAMESPACES)
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    expression = policy["spec"]["mutations"][0]["jsonPatch"]["expression"]
    assert "request.namespace in [\"data\", \"shop\"] ? 'real' : 'simulated'" in expression
    assert policy["spec"]["matchConditions"][0]["expression"] == "request.namespace != 'local-path-storage'"
    assert policy["spec"]["failurePolicy"] == "Fail"


def test_the_volumes_provisioner_is_a_process_and_its_helpers_are_marked_for_kwok(node: NodeLayout) -> None:
    objects = node_objects(node, dns="10.96.0.10", helper_image="ghcr.io/x/sandbox:1")
    assert "local-path-provisioner" not in {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"}
    (classes,) = [one for one in objects if one["kind"] == "StorageClass"]
    assert classes["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    (config,) = [one for one in objects if one["kind"] == "ConfigMap"]
    pod = yaml.safe_load(config["data"]["helperPod.yaml"])
    assert (
        pod["metadata"]["labels"]
        == _stage("volume-helper")["spec"]["selector"]["matchLabels"]
        == {HELPER_LABEL: "true"}
    )
    assert pod["spec"]["containers"][0]["image"] == "ghcr.io/x/sandbox:1"
    (service,) = [one for one in objects if one["kind"] == "Service"]
    assert service["spec"]["clusterIP"] == "10.96.0.10"


def test_a_second_clusters_node_is_refused_while_the_first_is_there(
    node: NodeLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    owner = tmp_path / "owner"
    monkeypatch.setattr(machine, "_OWNER", owner)
    owner.write_text(f"{first}\n", encoding="utf-8")
    with pytest.raises(ClusterError, match="first has the real node of this machine"):
        machine.prepare(node)
    assert not node.root.exists()
    shutil.rmtree(first)
    assert not machine.is_claimed(node)


def test_nothing_is_taken_back_where_nothing_was_changed(node: NodeLayout) -> None:
    assert machine.clean(node) == []


def test_the_registry_listens_on_the_loopback_address_alone(tmp_path: Path) -> None:
    settings = yaml.safe_load(registry_configuration(folder=tmp_path, port=5001))
    assert settings["http"] == {"addr": "127.0.0.1:5001"}
    assert settings["storage"]["filesystem"] == {"rootdirectory": str(tmp_path)}


def test_a_pod_stands_for_the_name_service_at_the_address_where_it_listens(node: NodeLayout) -> None:
    objects = node_objects(node, dns="10.96.0.10", helper_image="ghcr.io/x/sandbox:1")
    (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]
    (annotation,) = pod["metadata"]["annotations"]
    assert pod["metadata"]["annotations"][annotation] == str(node.address)
    (slices,) = [one for one in objects if one["kind"] == "EndpointSlice"]
    assert slices["endpoints"][0]["addresses"] == [str(node.address)]
    stage = _stage("process")
    assert stage["spec"]["selector"]["matchExpressions"][0]["key"] == f'.metadata.annotations["{annotation}"]'
    assert stage["spec"]["weight"] > 0  # of several stages that match, KWOK takes one that has a weight
    dependencies = load_dependencies(open_tree(find_root()))
    assert pod["metadata"]["labels"] == dependencies.dns_labels
    assert deployment["metadata"]["namespace"] == dependencies.dns_namespace


def test_kube_router_is_the_firewall_alone_and_listens_nowhere(tmp_path: Path) -> None:
    command = firewall.command(
        tmp_path / "kube-router", kubeconfig=tmp_path / "kubeconfig", services=IPv4Network("10.96.0.0/16")
    )
    assert {"--run-firewall=true", "--run-router=false", "--run-service-proxy=false"} < set(command)
    assert {"--enable-cni=false", "--health-port=0", "--metrics-port=0"} < set(command)
    assert "--service-cluster-ip-range=10.96.0.0/16" in command


_needs_a_firewall = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ipset", "iptables", "nft"))), reason="needs root, ipset, iptables"
)
_THEIRS = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
{rules}COMMIT
"""
_RULES = """\
:KUBE-ROUTER-INPUT - [0:0]
:KUBE-NWPLCY-COMMON - [0:0]
:KUBE-POD-FW-ABC - [0:0]
-A INPUT -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT
-A INPUT -m comment --comment "KUBE-ROUTER rule to explicitly ACCEPT" -m mark --mark 0x20000/0x20000 -j ACCEPT
-A KUBE-ROUTER-INPUT -s 10.244.0.9/32 -j KUBE-POD-FW-ABC
-A KUBE-POD-FW-ABC -m set --match-set KUBE-SRC-ABC src -j KUBE-NWPLCY-COMMON
"""


@_needs_a_firewall
@pytest.mark.parametrize("own", ["", "-A INPUT -s 192.0.2.1/32 -j DROP\n"], ids=["no table before", "a table before"])
def test_the_firewalls_rules_and_sets_are_taken_back_and_no_others(own: str, tmp_path: Path) -> None:
    """In a network namespace of its own."""
    script = f"""
import subprocess
from cartwright.cluster.node import firewall
def do(*command, text=""):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
theirs = {own!r}
if theirs:
    do("iptables-restore", text={_THEIRS!r}.format(rules=theirs))
tables = firewall.tables()
before = do("nft", "list", "ruleset")
do("ipset", "create", "KUBE-SRC-ABC", "hash:ip")
do("ipset", "create", "others", "hash:ip")
do("iptables-restore", text={_THEIRS!r}.format(rules={_RULES!r} + theirs))
assert "KUBE-POD-FW" in do("nft", "list", "ruleset")
for _ in range(2):
    assert firewall.clear(before=tables) == []
    assert do("nft", "list", "ruleset") == before
    assert do("ipset", "list", "-name").split() == ["others"]
"""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@_needs_a_firewall
def test_a_kernel_without_what_rules_are_made_of_is_told_from_one_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert firewall.refusal() == ""
    monkeypatch.setattr(firewall, "_PROBE", firewall._PROBE.replace("hash:ip ", "hash:no-such-kind "))
    assert "no-such-kind" in firewall.refusal()
