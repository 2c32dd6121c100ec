"""What `status` says of a pod: real or simulated, whose it is, and why it does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cartwright.cluster.kubectl import Kubectl
from cartwright.cluster.pods import Pod, read_pods
from cartwright.tree.applications import find_applications
from cartwright.tree.dependencies import load_dependencies
from cartwright.tree.environments import load_environments
from cartwright.tree.names import read_names
from cartwright.tree.repository import find_root, open_tree

ORDERS = f"{read_names(open_tree(find_root())).registry}/orders"
IMAGE = f"{ORDERS}:9.9.9@sha256:{'0' * 64}"


def item(**changes: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "orders-1",
            "namespace": "shop",
            "labels": {"app.kubernetes.io/name": changes.pop("label", "orders")},
        },
        "spec": {"nodeName": changes.pop("node", "real-1"), "containers": [{"name": "orders", "image": IMAGE}]},
        "status": {"phase": "Pending", **changes},
    }


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    tree = open_tree(find_root())
    found = find_applications(tree, load_environments(tree))
    dependencies = load_dependencies(tree)

    def read(*items: dict[str, Any], environment: str = "dev") -> tuple[Pod, ...]:
        monkeypatch.setattr(Kubectl, "items", lambda *_: list(items))
        kubectl = Kubectl(Path("kubectl"), Path("kubeconfig"))
        applications = [one for one in found if one.environment == environment]
        return read_pods(kubectl, environment, tree=tree, applications=applications, dependencies=dependencies)

    return read


def test_a_pod_is_real_on_the_real_node_alone_and_belongs_to_the_app_of_its_label(look: Any) -> None:
    real, simulated = look(item(), item(node="eu-central-1a-1", label="orders-migration"))
    assert (real.real, real.kind, real.app) == (True, "real", "shop/orders")
    assert (simulated.real, simulated.kind, simulated.app) == (False, "simulated", "shop/orders")
    (stranger,) = look(item(label="somebody"))
    assert stranger.app == ""


@pytest.mark.parametrize(("environment", "below"), [("dev", ""), ("prod", "release/")])
def test_a_pull_that_fails_is_told_in_kubelets_words_with_the_pins_line(
    look: Any, environment: str, below: str
) -> None:
    waiting = {"reason": "ErrImagePull", "message": "rpc error:\n  not found"}
    (pod,) = look(item(containerStatuses=[{"name": "orders", "state": {"waiting": waiting}}]), environment=environment)
    assert pod.problem == "ErrImagePull: rpc error: not found"
    file = f"environments/{environment}/shop/orders/{below}kustomization.yaml"
    lines = (find_root() / file).read_text().splitlines()
    assert pod.place == f"{file}:{lines.index(f'  - name: {ORDERS}') + 1}"


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"containerStatuses": [{"name": "orders", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        (
            {
                "containerStatuses": [
                    {
                        "name": "orders",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                    }
                ]
            },
            "CrashLoopBackOff: back-off 10s",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [{"name": "orders", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}],
            },
            "Error: exit code 3",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/7 nodes"}
                ]
            },
            "Unschedulable: 0/7 nodes",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}, "Evicted: low on disk"),
        ({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, ""),
    ],
)
def test_what_keeps_a_pod_from_running_is_told_and_nothing_else(look: Any, status: Any, problem: str) -> None:
    (pod,) = look(item(**status))
    assert pod.problem == problem
    assert pod.place == ""
