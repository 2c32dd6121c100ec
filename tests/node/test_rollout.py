"""A change of a service reaches the cluster by build and promotion, and no customer notices."""

from __future__ import annotations

import json
import re

import pytest

from cartwright.demo.load import Load
from tests.cluster.sandbox import until
from tests.node.cluster import NodeCluster

pytestmark = pytest.mark.node

_VERSION = """\
import json, urllib.request
print(json.load(urllib.request.urlopen("http://127.0.0.1:8080/version"))["version"])
"""


def version(cluster: NodeCluster) -> str:
    """What a pod of orders says of itself."""
    done = cluster.sandbox.kubectl(
        "dev", "--namespace=shop", "exec", "deployment/orders", "--", "python", "-c", _VERSION
    )
    return done.stdout.strip()


def test_a_changed_service_is_built_promoted_and_rolled_out_without_a_failed_request(
    node_cluster: NodeCluster, request: pytest.FixtureRequest
) -> None:
    sandbox = node_cluster.sandbox
    project = sandbox.repository / "services/orders/pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(re.sub(r'^version = ".*"$', 'version = "9.1.0"', text, flags=re.MULTILINE), encoding="utf-8")
    sandbox.commit("orders 9.1.0")
    built = sandbox.cartwright("images", "build", "orders", "--format", "json", timeout=600)
    assert built.returncode == 0, built.stdout + built.stderr
    (image,) = json.loads(built.stdout)["images"]
    assert image["tag"].startswith("9.1.0-local-")
    (old,) = node_cluster.pods("shop", "orders")
    product = node_cluster.shop.stock()["id"]
    with Load(node_cluster.shop, product) as load:
        assert until(lambda: load.sent > 20, seconds=60)
        promoted = sandbox.cartwright(
            "promote", "set", "orders", "--env", "dev", "--image", image["image"], "--embedded"
        )
        assert promoted.returncode == 0, promoted.stdout + promoted.stderr
        assert until(lambda: version(node_cluster) == image["tag"], seconds=240)

        def is_gone() -> bool:
            return sandbox.kubectl("dev", "--namespace=shop", "get", "pod", old["metadata"]["name"]).returncode != 0

        assert until(is_gone, seconds=120)
        after = load.sent
        assert until(lambda: load.sent > after + 20, seconds=60)
    request.config.get_terminal_writer().line(f" rollout: {load}")
    assert load.failures == []
    for order in load.orders[-3:]:
        assert node_cluster.shop.stored(order)
