"""A change of a base or a component on main reaches dev alone; a promotion brings it on, a rollback takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.cluster.sandbox import Sandbox, loosen_gates, until

pytestmark = pytest.mark.cluster

LATER = ("staging", "prod")
BASE = "apps/shop/catalog/deployment.yaml"
COMPONENT = "apps/components/http-service/deployment-patch.yaml"
DIGEST = "sha256:" + "7" * 64
SECONDS = 300
WRITTEN_BY_TIME = {"HorizontalPodAutoscaler", "CartwrightRule"}
"""Kinds whose status controllers write as time passes, whatever Git says: measured use, the last audit."""

Objects = Mapping[str, tuple[str, Any]]


@dataclass(frozen=True)
class Running:
    """What a cluster's catalog has of a release: of its images, its base and its component."""

    image: str
    base: str | None
    deadline: int


def running(cluster: Sandbox, environment: str) -> Running:
    deployment = cluster.get(environment, "--namespace=shop", "deployment", "catalog")
    spec, annotations = deployment["spec"], deployment["metadata"].get("annotations", {})
    (container,) = spec["template"]["spec"]["containers"]
    return Running(container["image"], annotations.get("example.com/base"), spec["progressDeadlineSeconds"])


def applications(cluster: Sandbox, environment: str) -> list[dict[str, Any]]:
    selector = f"--selector=cartwright.dev/environment={environment}"
    return list(cluster.get("dev", "--namespace=argocd", "applications.argoproj.io", selector)["items"])


def objects(cluster: Sandbox, environment: str) -> Objects:
    """Resource version and content, without status, of every object that an environment's Applications have."""
    wanted = {
        (f"{one['kind']}.{one['version']}.{one.get('group', '')}", one.get("namespace", ""), one["name"])
        for application in applications(cluster, environment)
        for one in application["status"]["resources"]
    }
    found = {}
    kinds = ",".join(sorted({kind for kind, _, _ in wanted}))
    for one in cluster.get(environment, "--all-namespaces", kinds)["items"]:
        group, _, version = one["apiVersion"].rpartition("/")
        metadata = dict(one["metadata"])
        key = (f"{one['kind']}.{version}.{group}", metadata.get("namespace", ""), metadata["name"])
        if key in wanted:
            content = {name: value for name, value in one.items() if name != "status"} | {"metadata": metadata}
            found[" ".join(key)] = (metadata.pop("resourceVersion"), content)
    assert len(found) == len(wanted)
    return found


def syncs(cluster: Sandbox, environment: str) -> dict[str, Any]:
    """Every sync of each Application of an environment."""
    return {one["metadata"]["name"]: one["status"]["history"] for one in applications(cluster, environment)}


def assert_untouched(cluster: Sandbox, environment: str, before: Objects, synced: dict[str, Any]) -> None:
    after = objects(cluster, environment)
    assert {name: one[1] for name, one in after.items()} == {name: one[1] for name, one in before.items()}
    written = {name.partition(".")[0] for name in after if before[name][0] != after[name][0]}
    assert written <= WRITTEN_BY_TIME
    assert syncs(cluster, environment) == synced


def replace_in(cluster: Sandbox, file: str, old: str, new: str) -> None:
    path = cluster.repository / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, file
    path.write_text(text.replace(old, new), encoding="utf-8")


def land(cluster: Sandbox) -> None:
    """Push, and wait until Argo CD has compared every Application with the commit and all is well."""
    cluster.push()
    assert until(lambda: cluster.status()["good"], seconds=SECONDS), cluster.cartwright("status").stdout


def promote(cluster: Sandbox, source: str, target: str, *more: str) -> None:
    """Promote catalog as soon as its gates open, and see it live."""
    words = ("promote", "catalog", "--from", source, "--to", target, *more)
    is_open = until(lambda: cluster.cartwright(*words, "--dry-run").returncode == 0, seconds=SECONDS)
    assert is_open, cluster.cartwright(*words, "--dry-run").stdout
    done = cluster.cartwright(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    land(cluster)


def tree(cluster: Sandbox, folder: str) -> str:
    return cluster.git("rev-parse", f"HEAD:{folder}")


def release(environment: str) -> str:
    return f"environments/{environment}/shop/catalog/release"


def test_base_component_and_image_move_by_promotion_alone(restored: Sandbox) -> None:
    cluster = restored
    for environment in LATER:
        loosen_gates(cluster, environment, soak="1s")
    land(cluster)
    first = {environment: running(cluster, environment) for environment in ("dev", *LATER)}
    first_release = tree(cluster, release("prod"))
    before = {environment: objects(cluster, environment) for environment in LATER}
    synced = {environment: syncs(cluster, environment) for environment in LATER}

    # A line of the base changes on main: dev has it, the others have nothing of it.
    replace_in(cluster, BASE, "  name: catalog\n", "  name: catalog\n  annotations: {example.com/base: one}\n")
    cluster.commit("catalog: a line of the base")
    land(cluster)
    assert running(cluster, "dev") == replace(first["dev"], base="one")
    for environment in LATER:
        assert_untouched(cluster, environment, before[environment], synced[environment])
    matrix = cluster.cartwright("promote", "matrix", "catalog").stdout
    assert matrix.count("base 1 commit behind main") == len(LATER), matrix

    # The configuration alone moves; the image of staging stays.
    promote(cluster, "dev", "staging", "--only", "config")
    assert running(cluster, "staging") == replace(first["staging"], base="one")
    assert tree(cluster, f"{release('staging')}/apps/shop/catalog") == tree(cluster, "apps/shop/catalog")
    assert_untouched(cluster, "prod", before["prod"], synced["prod"])

    # Image and component change, and move to staging as one release.
    replace_in(cluster, COMPONENT, "progressDeadlineSeconds: 300", "progressDeadlineSeconds: 290")
    pin = next(line for line in overlay_lines(cluster) if line.strip().startswith("digest: "))
    replace_in(cluster, "environments/dev/shop/catalog/kustomization.yaml", pin, f"    digest: {DIGEST}")
    cluster.commit("catalog: another image; a line of a component")
    land(cluster)
    new = running(cluster, "dev")
    assert (new.image.endswith(DIGEST), new.base, new.deadline) == (True, "one", 290)
    promote(cluster, "dev", "staging")
    staged = tree(cluster, release("staging"))
    assert running(cluster, "staging") == new

    # Main moves on; prod gets the bytes that staging ran.
    replace_in(cluster, BASE, "example.com/base: one", "example.com/base: two")
    cluster.commit("catalog: the same line again")
    land(cluster)
    promote(cluster, "staging", "prod")
    assert tree(cluster, release("prod")) == tree(cluster, release("staging")) == staged
    assert running(cluster, "dev") == replace(new, base="two")
    assert [running(cluster, environment) for environment in LATER] == [new, new]

    # A rollback takes all of it back.
    done = cluster.cartwright("promote", "rollback", "catalog", "--env", "prod", "--reason", "a test", "--hold", "1m")
    assert done.returncode == 0, done.stdout + done.stderr
    land(cluster)
    assert tree(cluster, release("prod")) == first_release
    assert running(cluster, "prod") == first["prod"]
    verified = cluster.cartwright("promote", "verify")
    assert verified.returncode == 0, verified.stdout


def overlay_lines(cluster: Sandbox) -> list[str]:
    file = cluster.repository / "environments/dev/shop/catalog/kustomization.yaml"
    return file.read_text(encoding="utf-8").splitlines()
