"""The real node's parts that need no node: configuration, placement, volumes, images of Debian's packages."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from cartwright.cluster.state import Layout
from cartwright.errors import ClusterError
from cartwright.images.registry import configuration as registry_configuration
from cartwright.node import configuration, machine
from cartwright.node.layout import NodeLayout
from cartwright.node.objects import HELPER_LABEL, helper_stage, node_objects, placement
from cartwright.node.real import NAMESPACES


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    return NodeLayout.of(Layout(tmp_path / "state"))


def test_containerd_takes_every_name_from_the_mirrors_and_mounts_below_its_own_folder(node: NodeLayout) -> None:
    settings = tomllib.loads(configuration.containerd(node, sandbox_image="ghcr.io/x/sandbox:1@sha256:ab"))
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


def test_only_the_chosen_namespaces_are_real_and_volume_helpers_choose_for_themselves() -> None:
    policy, binding = placement(NAMESPACES)
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    expression = policy["spec"]["mutations"][0]["jsonPatch"]["expression"]
    assert "request.namespace in [\"data\", \"shop\"] ? 'real' : 'simulated'" in expression
    assert policy["spec"]["matchConditions"][0]["expression"] == "request.namespace != 'local-path-storage'"
    assert policy["spec"]["failurePolicy"] == "Fail"


def test_the_volumes_provisioner_is_a_process_and_its_helpers_are_marked_for_kwok(node: NodeLayout) -> None:
    objects = node_objects(node, dns="10.96.0.10", helper_image="ghcr.io/x/sandbox:1")
    assert not [one for one in objects if one["kind"] == "Deployment"]
    (classes,) = [one for one in objects if one["kind"] == "StorageClass"]
    assert classes["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    (config,) = [one for one in objects if one["kind"] == "ConfigMap"]
    pod = yaml.safe_load(config["data"]["helperPod.yaml"])
    assert pod["metadata"]["labels"] == helper_stage()["spec"]["selector"]["matchLabels"] == {HELPER_LABEL: "true"}
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
