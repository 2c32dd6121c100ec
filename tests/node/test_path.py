"""The shop that Argo CD deployed runs: real pods, real images, an order from HTTP to PostgreSQL."""

from __future__ import annotations

import json
import urllib.request

import pytest

from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree
from tests.node.cluster import NodeCluster

pytestmark = pytest.mark.node

REAL = {"shop/catalog", "shop/gateway", "shop/orders", "data/postgresql", "data/redis", "data/rabbitmq"}


def test_every_pod_of_shop_and_data_is_real_and_no_other_is(node_cluster: NodeCluster) -> None:
    report = node_cluster.sandbox.status()
    assert report["good"]
    running = [pod for pod in report["pods"] if pod["phase"] == "Running"]
    assert {pod["app"] for pod in running if pod["real"]} == REAL
    assert {pod["namespace"] for pod in running if not pod["real"]} >= {"argocd", "monitoring", "platform"}
    assert all(pod["node"] == "real-1" for pod in running if pod["real"])


def test_containers_run_as_the_restricted_level_asks(node_cluster: NodeCluster) -> None:
    """Asked of the kernel, inside of the container."""
    kubectl = node_cluster.sandbox.kubectl
    done = kubectl("dev", "--namespace=shop", "exec", "deployment/orders", "--", "cat", "/proc/1/status")
    status = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"  # a filter
    written = kubectl("dev", "--namespace=shop", "exec", "deployment/orders", "--", "touch", "/opt/service/x")
    assert "Read-only file system" in written.stderr


def test_images_come_from_this_machine_in_dev_under_the_names_of_production(node_cluster: NodeCluster) -> None:
    report = node_cluster.sandbox.status()
    images = {image["name"]: image for one in report["applications"] for image in one["images"]}
    own = read_names(open_tree(node_cluster.sandbox.repository)).registry
    for name in ("docker.io/library/postgres", "docker.io/library/redis", f"{own}/orders"):
        assert images[name]["built_here"], name
    assert images["docker.io/library/postgres"]["tag"].endswith("-debian12")
    upstream = (
        node_cluster.sandbox.repository / "environments/prod/data/postgresql/release/kustomization.yaml"
    ).read_text()
    assert "newTag: " in upstream
    assert "debian12" not in upstream


def test_their_digests_came_by_promotion(node_cluster: NodeCluster) -> None:
    log = node_cluster.sandbox.git(
        "--git-dir",
        str(node_cluster.sandbox.layout.remote),
        "log",
        "--format=%(trailers:key=App,valueonly,separator=%x2C)",
    )
    assert {"shop/orders", "data/postgresql", "data/redis"} <= {
        app.strip() for app in log.replace(",", "\n").split("\n")
    }


def test_a_commit_of_the_clone_is_pushed_on_top_of_them_and_synced(node_cluster: NodeCluster) -> None:
    sandbox = node_cluster.sandbox
    recorded = sandbox.git("--git-dir", str(sandbox.layout.remote), "rev-parse", "main")
    (sandbox.repository / "pushed.txt").write_text("changes no object\n", encoding="utf-8")
    sandbox.commit("a commit of a person")
    done = sandbox.cartwright("push")
    assert done.returncode == 0, done.stdout + done.stderr
    head = sandbox.git("rev-parse", "HEAD")
    assert f"Argo CD syncs {head[:7]}" in done.stdout
    assert sandbox.git("--git-dir", str(sandbox.layout.remote), "rev-parse", "main") == head
    sandbox.git("merge-base", "--is-ancestor", recorded, head)
    # Well is what is at the remote's HEAD, too.
    node_cluster.await_healthy(240)


def test_a_demo_order_comes_back_from_postgresql(node_cluster: NodeCluster) -> None:
    done = node_cluster.sandbox.cartwright("demo", "order")
    assert done.returncode == 0, done.stdout + done.stderr
    order = next(line.split()[-1] for line in done.stdout.splitlines() if line.strip().startswith("id "))
    assert f"/orders/{order}  200, the same order: True" in done.stdout
    assert "total_amount  2900" in done.stdout


def test_the_door_is_on_the_loopback_address_and_open_names_it(node_cluster: NodeCluster) -> None:
    done = node_cluster.sandbox.cartwright("open", "--format", "json")
    pages = {page["name"]: page["url"] for page in json.loads(done.stdout)["pages"]}
    assert pages["shop: products"].startswith("http://127.0.0.1:")
    with urllib.request.urlopen(pages["shop: products"], timeout=10) as answer:
        assert json.load(answer)["items"]
    with urllib.request.urlopen(pages["images built here"], timeout=10) as answer:
        assert "library/postgres" in json.load(answer)["repositories"]


def test_a_second_cluster_on_this_machine_is_told_that_the_node_is_taken(node_cluster: NodeCluster) -> None:
    from cartwright.cluster.node.lifecycle import open_node
    from cartwright.cluster.state import Layout

    said: list[str] = []
    assert open_node(Layout(node_cluster.sandbox.state.with_name("second")), say=said.append) is None
    assert said == ["node: every pod is simulated: another embedded cluster has the real node of this machine"]
