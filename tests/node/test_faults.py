"""What goes wrong on a real node: what people are told, and that all comes back without help, with every order."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
import yaml

from cartwright.cluster.node.layout import NAME, NodeLayout
from cartwright.demo.load import Load
from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree
from tests.cluster.sandbox import until
from tests.node.cluster import NodeCluster

pytestmark = pytest.mark.node

OVERLAY = "environments/dev/shop/orders/kustomization.yaml"


def with_job(text: str, field: str, value: int) -> str:
    """The overlay with another number in the spec of its Job: five minutes until one gives up are too long to wait."""
    assert "\npatches:" not in text
    operation = f"{{op: replace, path: /spec/{field}, value: {value}}}"
    return f"{text.rstrip()}\n\npatches:\n  - target: {{kind: Job}}\n    patch: |-\n      - {operation}\n"


@pytest.fixture
def orders(node_cluster: NodeCluster) -> Iterator[Callable[[], str]]:
    """A function that places an order; in the end each one that was acknowledged must be in the database."""
    node_cluster.await_healthy(180)  # whatever the test before has left
    shop = node_cluster.shop
    product = shop.stock()["id"]
    placed: list[str] = []

    def place() -> str:
        placed.append(shop.place(product, customer="faults")["id"])
        return placed[-1]

    place()
    yield place
    assert placed
    for order in placed:
        assert node_cluster.is_stored(order), f"{order} was acknowledged and is not in the database"


@pytest.fixture
def overlay(node_cluster: NodeCluster) -> Iterator[Callable[[Callable[[str], str]], str]]:
    """A function that changes the overlay of orders in the remote; afterwards it is as before, and all is well."""
    sandbox = node_cluster.sandbox
    sandbox.git("pull", "--quiet", "--rebase", sandbox.layout.remote.as_uri(), "main")
    file = sandbox.repository / OVERLAY
    before = file.read_text(encoding="utf-8")

    def change(edit: Callable[[str], str]) -> str:
        file.write_text(edit(before), encoding="utf-8")
        return node_cluster.commit_and_push("a change that does not work")

    yield change
    file.write_text(before, encoding="utf-8")
    back = node_cluster.commit_and_push("back")

    def settled() -> bool:
        # The sync that failed is tried again with the newest commit: what comes next must not meet it half way.
        operation = node_cluster.sandbox.application("dev-shop-orders")["status"].get("operationState", {})
        # Between two operations there is none, and one that has just begun has no result.
        return operation.get("phase") == "Succeeded" and operation.get("syncResult", {}).get("revision") == back

    assert until(settled, seconds=300)
    node_cluster.await_healthy(240)


def test_an_image_that_cannot_be_pulled_is_told_with_the_overlays_line_and_the_old_pods_serve(
    node_cluster: NodeCluster, orders: Callable[[], str], overlay: Callable[[Callable[[str], str]], str]
) -> None:
    (old,) = node_cluster.pods("shop", "orders")
    missing = "0123456789abcdef" * 4

    def edit(text: str) -> str:
        content = yaml.safe_load(text)
        (image,) = content["images"]
        assert image["digest"] in text
        return with_job(text.replace(image["digest"], f"sha256:{missing}"), "activeDeadlineSeconds", 40)

    overlay(edit)

    def told() -> str:
        done = node_cluster.sandbox.cartwright("status")
        return next((line for line in done.stdout.splitlines() if line.startswith(OVERLAY)), "")

    # The migration of the release comes first, and it needs the image as well.
    assert until(told, seconds=120)
    line = next(
        number
        for number, text in enumerate((node_cluster.sandbox.repository / OVERLAY).read_text().splitlines(), 1)
        if text.strip() == f"- name: {read_names(open_tree(node_cluster.sandbox.repository)).registry}/orders"
    )
    assert told().startswith(f"{OVERLAY}:{line}: dev shop/orders-migration-")
    assert "ErrImagePull" in told() or "ImagePullBackOff" in told()
    assert [pod["metadata"]["name"] for pod in node_cluster.pods("shop", "orders")] == [old["metadata"]["name"]]
    orders()


def test_a_migration_that_fails_fails_the_sync_and_the_old_pods_go_on(
    node_cluster: NodeCluster, orders: Callable[[], str], overlay: Callable[[Callable[[str], str]], str]
) -> None:
    (old,) = node_cluster.pods("shop", "orders")
    shop = node_cluster.shop

    def edit(text: str) -> str:
        assert "      - LOG_LEVEL=DEBUG\n" in text
        text = text.replace("      - LOG_LEVEL=DEBUG\n", "      - LOG_LEVEL=DEBUG\n      - DATABASE_NAME=nowhere\n")
        return with_job(text, "activeDeadlineSeconds", 30)

    with Load(shop, shop.stock()["id"]) as load:
        commit = overlay(edit)

        def failed() -> bool:
            status = node_cluster.sandbox.application("dev-shop-orders")["status"]
            operation = status.get("operationState", {})
            # Between a failure and the last retry the operation is under way again, and counts.
            ended = operation.get("phase") == "Failed" or operation.get("retryCount", 0) > 0
            return bool(ended and operation.get("syncResult", {}).get("revision") == commit)

        assert until(failed, seconds=240)

        def told() -> bool:
            reports = {one["name"]: one for one in node_cluster.sandbox.status()["applications"]}
            return "orders-migration" in (reports["dev-shop-orders"]["message"] or "")

        assert until(told, seconds=60)
        assert [pod["metadata"]["name"] for pod in node_cluster.pods("shop", "orders")] == [old["metadata"]["name"]]
        orders()
    assert load.failures == []


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("component", ["containerd", "kubelet", "kube-apiserver-dev", "kube-proxy", "coredns"])
def test_a_killed_component_comes_back_and_containers_live_on(
    node_cluster: NodeCluster, orders: Callable[[], str], component: str
) -> None:
    (database,) = node_cluster.pods("data", "postgresql")
    pid = node_cluster.process(component)
    _kill(pid)
    assert until(lambda: node_cluster.process(component) not in (0, pid), seconds=60)
    node_cluster.await_healthy(180)
    orders()
    (same,) = node_cluster.pods("data", "postgresql")
    assert same["metadata"]["uid"] == database["metadata"]["uid"]
    assert same["status"]["containerStatuses"] == database["status"]["containerStatuses"], "its container was restarted"


def test_a_killed_postgresql_recovers_with_every_acknowledged_order(
    node_cluster: NodeCluster, orders: Callable[[], str]
) -> None:
    shop = node_cluster.shop
    with Load(shop, shop.stock()["id"]) as load:
        assert until(lambda: len(load.orders) > 5, seconds=60)
        servers = [
            process
            for process in psutil.process_iter(["name", "uids"])
            if process.info["name"] == "postgres" and process.info["uids"].real == 70
        ]
        assert servers
        for server in servers:
            # When one dies, PostgreSQL ends the others by itself.
            with suppress(psutil.NoSuchProcess):
                server.kill()

        def restarted() -> bool:
            (pod,) = node_cluster.pods("data", "postgresql")
            (status,) = pod["status"]["containerStatuses"]
            return status["restartCount"] > 0 and status["ready"]

        assert until(restarted, seconds=120)
        served = len(load.orders)
        assert until(lambda: len(load.orders) > served + 5, seconds=60), load.failures[-3:]
    node_cluster.await_healthy(120)
    kept = [order for order in load.orders if node_cluster.is_stored(order)]
    assert kept == load.orders


def test_a_pod_of_postgresql_that_is_deleted_gets_its_volume_back(
    node_cluster: NodeCluster, orders: Callable[[], str]
) -> None:
    first = orders()
    (old,) = node_cluster.pods("data", "postgresql")
    done = node_cluster.sandbox.kubectl(
        "dev", "--namespace=data", "delete", "pod", "postgresql-0", "--grace-period=1", "--wait=false"
    )
    assert done.returncode == 0, done.stderr

    def is_back() -> bool:
        pods = node_cluster.pods("data", "postgresql")
        return bool(pods) and pods[0]["metadata"]["uid"] != old["metadata"]["uid"] and node_cluster.healthy()

    assert until(is_back, seconds=180)
    assert node_cluster.is_stored(first)


def test_disk_pressure_is_told_by_the_node_and_ends_without_help(
    node_cluster: NodeCluster, orders: Callable[[], str]
) -> None:
    """kubelet's own threshold is put above what any disk has free, so that to kubelet this one is full."""
    file = NodeLayout.of(node_cluster.sandbox.layout).config / "kubelet.yaml"
    before = file.read_text(encoding="utf-8")
    settings = yaml.safe_load(before)
    settings["evictionHard"] = {**settings["evictionHard"], "nodefs.available": "98%"}
    settings["evictionPressureTransitionPeriod"] = "0s"

    def restart(text: str) -> None:
        file.write_text(text, encoding="utf-8")
        pid = node_cluster.process("kubelet")
        _kill(pid)
        assert until(lambda: node_cluster.process("kubelet") not in (0, pid), seconds=60)

    def under_pressure() -> bool:
        conditions = node_cluster.sandbox.get("dev", "node", NAME)["status"]["conditions"]
        return any(one["type"] == "DiskPressure" and one["status"] == "True" for one in conditions)

    try:
        restart(json.dumps(settings))
        assert until(under_pressure, seconds=120)

        def evicted() -> bool:
            pods = node_cluster.sandbox.status()["pods"]
            return any("Evicted" in (pod["problem"] or "") or "disk" in (pod["problem"] or "") for pod in pods)

        assert until(evicted, seconds=180)
    finally:
        restart(before)
    assert until(lambda: not under_pressure(), seconds=180)
    node_cluster.await_healthy(300)
    orders()
    # What was evicted stays to be looked at, until a person or the garbage collector removes it.
    for namespace in ("data", "shop"):
        done = node_cluster.sandbox.kubectl(
            "dev", f"--namespace={namespace}", "delete", "pods", "--field-selector=status.phase=Failed"
        )
        assert done.returncode == 0, done.stderr
