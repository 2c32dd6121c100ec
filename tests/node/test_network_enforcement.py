"""NetworkPolicies are enforced: real connections between real pods are those of the declared map, and no others."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from cartwright.cluster.processes import Supervisor
from cartwright.network import load_dependencies
from cartwright.tree.repository import open_tree
from tests.cluster.sandbox import until
from tests.node.cluster import NodeCluster

pytestmark = pytest.mark.node

_CONNECT = """\
import json, socket, sys
answers = {}
for address in sys.argv[1:]:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        answers[address] = "open"
    except OSError as error:
        answers[address] = str(error)
print(json.dumps(answers))
"""
_REFUSED = "[Errno 111] Connection refused"
"""The firewall rejects: nobody waits for a time-out."""
_AWAIT = """\
import socket, sys, time
# A new pod's address reaches the firewall when the API server knows it, which takes a moment.
answer, ends = "", time.monotonic() + 8
while time.monotonic() < ends and answer != "open":
    try:
        socket.create_connection((sys.argv[1], 5432), timeout=5).close()
        answer = "open"
    except OSError as error:
        answer = str(error)
        time.sleep(0.2)
print(answer)
"""


def connect(cluster: NodeCluster, app: str, *addresses: str) -> dict[str, str]:
    """What comes of connections from the running pod of an app."""
    done = cluster.sandbox.kubectl(
        "dev", "--namespace=shop", "exec", f"deployment/{app}", "--", "python", "-c", _CONNECT, *addresses
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def run_job(cluster: NodeCluster, name: str, app: str, address: str) -> str:
    """What a new pod in ``shop`` with the label of this app says after it has tried PostgreSQL for a while."""
    kubectl = cluster.sandbox.kubectl
    deployment = cluster.sandbox.get("dev", "--namespace=shop", "deployments", "gateway")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": deployment["spec"]["template"]["spec"]["securityContext"],
        "containers": [
            {
                "name": "probe",
                "image": container["image"],
                "command": ["python", "-c", _AWAIT, address],
                "securityContext": container["securityContext"],
                "resources": {
                    "requests": {"cpu": "10m", "memory": "32Mi"},
                    "limits": {"cpu": "200m", "memory": "64Mi"},
                },
            }
        ],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 120,
            "ttlSecondsAfterFinished": 300,
            "template": {"metadata": {"labels": {"app.kubernetes.io/name": app}}, "spec": pod},
        },
    }
    file = cluster.sandbox.state.with_name(f"{name}.json")
    file.write_text(json.dumps(job), encoding="utf-8")
    applied = kubectl("dev", "apply", f"--filename={file}")
    assert applied.returncode == 0, applied.stderr
    try:
        assert until(
            lambda: cluster.sandbox.get("dev", "--namespace=shop", "jobs", name).get("status", {}).get("succeeded"),
            seconds=90,
        )
        return kubectl("dev", "--namespace=shop", "logs", f"job/{name}").stdout.strip()
    finally:
        kubectl("dev", "--namespace=shop", "delete", "job", name, "--wait=false")


def test_a_pod_without_an_edge_can_not_reach_postgresql_and_one_with_an_edge_can(node_cluster: NodeCluster) -> None:
    service = node_cluster.sandbox.get("dev", "--namespace=data", "services", "postgresql")
    address = service["spec"]["clusterIP"]
    assert run_job(node_cluster, "without-an-edge", "no-app", address) == _REFUSED
    # With the label of the Job that migrates orders' tables; it needs name resolution too.
    assert run_job(node_cluster, "with-an-edge", "orders-migration", "postgresql.data.svc.cluster.local") == "open"


def test_between_running_pods_the_declared_edges_are_open_and_no_others(node_cluster: NodeCluster) -> None:
    dependencies = load_dependencies(open_tree(node_cluster.sandbox.repository))
    listening = {"shop/catalog": 8080, "shop/orders": 8080, "shop/gateway": 8080, "data/redis": 6379}
    listening["data/postgresql"] = 5432
    addresses = {}
    for key, port in listening.items():
        (pod,) = node_cluster.pods(*key.split("/"))
        addresses[key] = f"{pod['status']['podIP']}:{port}"
    for app in ("catalog", "gateway", "orders"):
        source = dependencies.apps[f"shop/{app}"]
        told = connect(node_cluster, app, *addresses.values())
        declared = {call.to for call in source.calls if listening.get(call.to) == call.port}
        others = {key: address for key, address in addresses.items() if key != source.key}
        assert {key for key, address in others.items() if told[address] == "open"} == declared
        assert {told[address] for key, address in others.items() if key not in declared} == {_REFUSED}


def test_names_are_resolved_and_the_machine_itself_is_closed(node_cluster: NodeCluster) -> None:
    """The name server listens on an address of the machine; nothing else there is open to pods."""
    port = node_cluster.state.ports["kubelet"]
    told = connect(node_cluster, "gateway", "10.244.255.1:53", f"10.244.255.1:{port}")
    assert told == {"10.244.255.1:53": "open", f"10.244.255.1:{port}": _REFUSED}


def test_what_is_closed_stays_closed_while_the_firewall_restarts(node_cluster: NodeCluster) -> None:
    first = node_cluster.process("kube-router")
    os.kill(first, signal.SIGKILL)
    told = connect(node_cluster, "gateway", "postgresql.data:5432", "redis.data:6379")
    assert told == {"postgresql.data:5432": _REFUSED, "redis.data:6379": "open"}

    def restarted() -> bool:
        record = Supervisor(node_cluster.sandbox.layout).processes().get("kube-router")
        return record is not None and record.pid != first

    assert until(restarted, seconds=30)
