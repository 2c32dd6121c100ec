"""The embedded cluster with every environment: what Argo CD, admission and the supervisor really do."""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cluster.sandbox import Sandbox, loosen_gates, until

pytestmark = pytest.mark.cluster

ENVIRONMENTS = ("dev", "staging", "prod")
DIGEST = "sha256:" + "5" * 64
CATALOG = Path("shop/catalog/kustomization.yaml")


def set_catalog_digest(root: Path, digest: str) -> None:
    """Of dev, which alone pins images in its overlay."""
    file = root / "environments" / "dev" / CATALOG
    yaml = YAML()
    content = yaml.load(file)
    image = next(one for one in content["images"] if one["name"].endswith("/catalog"))
    image["digest"] = digest
    yaml.dump(content, file)


def catalog_image(cluster: Sandbox, environment: str) -> str:
    deployment = cluster.get(environment, "--namespace=shop", "deployment", "catalog")
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def live_specs(cluster: Sandbox, environment: str) -> dict[str, Any]:
    """What is asked of every workload of an environment, without what controllers write."""
    items = cluster.get(environment, "--all-namespaces", "deployments,statefulsets,services,configmaps,hpa")["items"]
    return {
        f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}": {
            key: item[key] for key in ("spec", "data") if key in item
        }
        for item in items
        if item["metadata"]["namespace"] in ("shop", "data", "monitoring", "platform")
    }


def test_every_application_of_every_environment_is_synced_and_healthy(cluster: Sandbox) -> None:
    done = cluster.cartwright("status", "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["good"] is True
    assert report["remote"]["commit"] == cluster.git("rev-parse", "HEAD")
    assert {one["environment"] for one in report["applications"]} == {None, *ENVIRONMENTS}
    overlays = {f"{path.parts[-4]}-{path.parts[-3]}-{path.parts[-2]}" for path in _overlays(cluster.repository)}
    names = {one["name"] for one in report["applications"]}
    assert names == {"root", *overlays, *(f"{environment}-cluster" for environment in ENVIRONMENTS)}
    assert {(one["sync"], one["health"]) for one in report["applications"]} == {("Synced", "Healthy")}


def _overlays(repository: Path) -> list[Path]:
    return list((repository / "environments").glob("*/*/*/kustomization.yaml"))


def test_status_shows_the_image_that_the_release_names(cluster: Sandbox) -> None:
    file = cluster.repository / "environments/prod/shop/catalog/release/kustomization.yaml"
    wanted = next(one for one in YAML().load(file)["images"] if one["name"].endswith("/catalog"))
    shown = next(one for one in cluster.status()["applications"] if one["name"] == "prod-shop-catalog")
    expected = {
        "name": wanted["name"],
        "tag": wanted.get("newTag"),
        "digest": wanted.get("digest"),
        "built_here": False,
    }
    assert expected in shown["images"]


def test_nodes_stand_in_three_zones_and_autoscalers_see_metrics(cluster: Sandbox) -> None:
    nodes = cluster.get("prod", "nodes")["items"]
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}) == 3

    def reading() -> bool:
        autoscaler = cluster.get("prod", "--namespace=shop", "hpa", "catalog")
        conditions = {one["type"]: one["status"] for one in autoscaler["status"].get("conditions", ())}
        return conditions.get("ScalingActive") == "True"

    assert until(reading, seconds=180)


def test_a_second_up_changes_no_process(cluster: Sandbox) -> None:
    before = cluster.processes()
    done = cluster.cartwright("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.processes() == before


def test_a_service_and_its_database_hold_the_same_password(cluster: Sandbox) -> None:
    def password(namespace: str) -> str:
        secret = cluster.get("dev", f"--namespace={namespace}", "secret", "catalog-database")
        return base64.b64decode(secret["data"]["password"]).decode()

    assert len(password("shop")) > 30
    assert password("shop") == password("data")


def test_a_credential_of_dev_means_nothing_to_prod(cluster: Sandbox) -> None:
    dev, prod = (json.loads(cluster.layout.kubeconfig(name).read_text()) for name in ("dev", "prod"))
    mixed = cluster.state / "mixed.yaml"
    mixed.write_text(json.dumps({**prod, "users": [{"name": "cartwright-prod", "user": dev["users"][0]["user"]}]}))
    done = cluster.kubectl("prod", f"--kubeconfig={mixed}", "get", "nodes")
    assert done.returncode != 0
    assert "Unauthorized" in done.stderr or "must be logged in" in done.stderr


def test_an_anonymous_caller_is_refused(cluster: Sandbox) -> None:
    prod = json.loads(cluster.layout.kubeconfig("prod").read_text())["clusters"][0]["cluster"]
    trusted = ssl.create_default_context(cadata=base64.b64decode(prod["certificate-authority-data"]).decode())
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{prod['server']}/readyz", context=trusted, timeout=10)


def test_argocd_may_do_in_the_hub_what_its_manifests_say_and_no_more(cluster: Sandbox) -> None:
    account = "system:serviceaccount:argocd:argocd-applicationset-controller"

    def may(verb: str, kind: str) -> str:
        return cluster.kubectl(
            "dev", "auth", "can-i", verb, kind, f"--as={account}", "--namespace=argocd"
        ).stdout.strip()

    assert may("create", "applications.argoproj.io") == "yes"
    assert may("create", "deployments.apps") == "no"


def test_a_commit_pushed_to_the_bare_remote_is_live_in_dev_and_nowhere_else(restored: Sandbox) -> None:
    set_catalog_digest(restored.repository, DIGEST)
    restored.commit("catalog: a new digest in dev")
    restored.push()
    # How soon is a figure of benchmarks/up.py: a busy machine must not fail a sound commit.
    assert until(lambda: catalog_image(restored, "dev").endswith(DIGEST), seconds=180)
    assert not catalog_image(restored, "staging").endswith(DIGEST)


def test_a_deleted_deployment_comes_back(cluster: Sandbox) -> None:
    before = cluster.get("dev", "--namespace=shop", "deployment", "catalog")["metadata"]["uid"]
    assert cluster.kubectl("dev", "delete", "--namespace=shop", "deployment", "catalog").returncode == 0

    def is_back() -> bool:
        found = cluster.kubectl("dev", "get", "--namespace=shop", "deployment", "catalog", "--output=json")
        return found.returncode == 0 and json.loads(found.stdout)["metadata"]["uid"] != before

    assert until(is_back, seconds=180)
    assert until(lambda: cluster.status()["good"], seconds=180)


def test_a_privileged_pod_is_refused_by_admission_and_argocd_says_so(restored: Sandbox) -> None:
    folder = restored.repository / "environments/dev/shop/catalog"
    (folder / "privileged.yaml").write_text(
        "apiVersion: v1\n"
        "kind: Pod\n"
        "metadata: {name: privileged, namespace: shop}\n"
        "spec:\n"
        "  containers:\n"
        "    - {name: shell, image: 'docker.io/library/busybox:1.37.0', securityContext: {privileged: true},\n"
        "       resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}}\n"
    )
    yaml = YAML()
    content = yaml.load(folder / "kustomization.yaml")
    content["resources"].append("privileged.yaml")
    yaml.dump(content, folder / "kustomization.yaml")
    restored.commit("catalog: a privileged pod")
    restored.push()

    def refusal() -> str:
        report = next(one for one in restored.status()["applications"] if one["name"] == "dev-shop-catalog")
        message = report["message"] or ""
        return message if "violates PodSecurity" in message else ""

    message = until(refusal, seconds=180)
    assert 'pods "privileged" is forbidden: violates PodSecurity "restricted:' in message
    assert 'privileged (container "shell" must not set securityContext.privileged=true)' in message
    assert restored.kubectl("dev", "get", "--namespace=shop", "pod", "privileged").returncode != 0
    done = restored.cartwright("status")
    assert done.returncode == 1
    assert "dev-shop-catalog: " in done.stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_gatekeeper_refuses_a_deployment_without_a_read_only_root(cluster: Sandbox, environment: str) -> None:
    field = "/spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem"
    patch = json.dumps([{"op": "remove", "path": field}])
    done = cluster.kubectl(
        environment, "patch", "deployment", "catalog", "--namespace=shop", "--type=json", f"-p={patch}"
    )
    assert done.returncode == 1
    assert (
        'admission webhook "validation.gatekeeper.sh" denied the request: [read-only-root-filesystem] '
        "Deployment/catalog, container catalog: can write to its root file system; "
        "set securityContext.readOnlyRootFilesystem to true"
    ) in done.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_gatekeepers_audit_finds_what_check_finds(cluster: Sandbox, environment: str) -> None:
    report = json.loads(cluster.cartwright("check", "--env", environment, "--format", "json").stdout)
    expected = sorted({(one["rule"], one["message"]) for one in report["findings"]})

    def audited() -> list[tuple[str, str]] | None:
        constraints = cluster.get(environment, "cartwrightrule")["items"]
        if not constraints or not all(one.get("status", {}).get("auditTimestamp") for one in constraints):
            return None
        return sorted(
            {
                (one["metadata"]["name"], violation["message"])
                for one in constraints
                for violation in one["status"].get("violations", ())
            }
        )

    # The first audit comes within a minute; on the way up it may have seen half of the objects.
    assert until(lambda: audited() == expected, seconds=180), audited()


@pytest.mark.parametrize(
    "name", ["kube-scheduler-dev", "argocd-application-controller", "prometheus-operator-prod", "gatekeeper-staging"]
)
def test_a_killed_component_is_started_again(cluster: Sandbox, name: str) -> None:
    assert cluster.cartwright("up").returncode == 0
    before = cluster.processes()[name]
    os.kill(before, signal.SIGKILL)
    assert cluster.cartwright("up").returncode == 0
    after = cluster.processes()[name]
    assert after != before


def test_promotion_moves_the_digest_to_staging_and_changes_nothing_else(restored: Sandbox) -> None:
    # First the gates, which take a moment: then the soak has hardly begun.
    loosen_gates(restored, "staging", soak="20s")
    set_catalog_digest(restored.repository, DIGEST)
    restored.commit("catalog: a new digest in dev")
    promote = ("promote", "catalog", "--from", "dev", "--to", "staging")
    early = json.loads(restored.cartwright(*promote, "--format", "json").stdout)
    assert early["status"] == "blocked"
    shut = {one["gate"]: one["code"] for one in early["gates"] if not one["passed"]}
    assert shut["soak"] == "soak-short"
    assert shut["health"] == "health-early", "Argo CD has not seen the commit, which is not pushed yet"
    restored.push()
    assert until(lambda: catalog_image(restored, "dev").endswith(DIGEST), seconds=180)
    assert until(lambda: restored.status()["good"], seconds=180)
    before = live_specs(restored, "staging")
    # Soak and Argo CD's word on dev open the gates, nothing else does.
    assert until(lambda: restored.cartwright(*promote, "--dry-run").returncode == 0, seconds=180), restored.cartwright(
        *promote, "--dry-run"
    ).stdout
    done = restored.cartwright(*promote)
    assert done.returncode == 0, done.stdout + done.stderr
    restored.push()
    assert until(lambda: catalog_image(restored, "staging").endswith(DIGEST), seconds=180)
    assert until(lambda: restored.status()["good"], seconds=180)
    after = live_specs(restored, "staging")
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {
        "Deployment shop/catalog"
    }
    old, new = (
        json.dumps(specs["Deployment shop/catalog"], sort_keys=True).split('"image": "') for specs in (before, after)
    )
    assert [part.split('"', 1)[1:] for part in old] == [part.split('"', 1)[1:] for part in new]
    assert not catalog_image(restored, "prod").endswith(DIGEST)
