"""A field of a rendered service is led back to the file and the line that wrote it: of its release or its overlay."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.render import Rendered, render
from cartwright.tree.repository import find_root, open_tree
from cartwright.tree.sources import SourceMap

ROOT = find_root(Path(__file__))
OVERLAY = "environments/prod/shop/catalog/kustomization.yaml"
RELEASE = "environments/prod/shop/catalog/release"
COMPONENTS = f"{RELEASE}/apps/components"
BASE = f"{RELEASE}/apps/shop/catalog"
CONTAINER = "spec/template/spec/containers/0"
POD = f"{COMPONENTS}/http-service/deployment-patch.yaml"


def built(name: str) -> Rendered:
    """The build of an Application."""
    tree = open_tree(ROOT)
    (one,), failures = render(
        tree, [one for one in find_applications(tree, load_environments(tree)) if one.name == name]
    )
    assert failures == ()
    return one


@pytest.fixture(scope="module")
def catalog() -> Rendered:
    """The build of prod's catalog."""
    return built("prod-shop-catalog")


@pytest.mark.parametrize(
    ("kind", "field", "file", "text"),
    [
        pytest.param("Deployment", f"{CONTAINER}/readinessProbe", POD, "readinessProbe:", id="a probe"),
        pytest.param(
            "Deployment", f"{CONTAINER}/livenessProbe/periodSeconds", POD, "periodSeconds: 10", id="within it"
        ),
        pytest.param("Deployment", "spec/strategy/type", POD, "type: RollingUpdate", id="of the Deployment"),
        pytest.param("Deployment", f"{CONTAINER}/securityContext/privileged", POD, "  securityContext:", id="missing"),
        pytest.param(
            "Deployment", f"{CONTAINER}/env/0", f"{BASE}/deployment.yaml", "DATABASE_PASSWORD", id="the base's"
        ),
        pytest.param("Deployment", f"{CONTAINER}/resources/limits/cpu", OVERLAY, "limits: {cpu:", id="an operation"),
        pytest.param("Deployment", f"{CONTAINER}/image", f"{RELEASE}/kustomization.yaml", "/catalog", id="the pin"),
        pytest.param("Job", f"{CONTAINER}/command/2", f"{BASE}/kustomization.yaml", "catalog.migrate", id="inline"),
        pytest.param("Job", "spec/backoffLimit", f"{COMPONENTS}/migration-job/job.yaml", "backoffLimit", id="the Job"),
        pytest.param("Service", "spec/type", f"{COMPONENTS}/http-service/service.yaml", "type:", id="the Service"),
        pytest.param(
            "ServiceAccount",
            "automountServiceAccountToken",
            f"{COMPONENTS}/http-service/serviceaccount.yaml",
            "automount",
            id="the account",
        ),
        pytest.param(
            "PrometheusRule",
            "spec/groups/0/rules/2/for",
            f"{COMPONENTS}/http-service/prometheusrule.yaml",
            "for: 10m",
            id="an alert of every service",
        ),
        pytest.param(
            "PrometheusRule",
            "spec/groups/0/rules/3/expr",
            f"{COMPONENTS}/migration-job/alerts-patch.yaml",
            "expr:",
            id="an alert that is appended",
        ),
        pytest.param(
            "PrometheusRule",
            "spec/groups/0/rules/4/expr",
            f"{BASE}/alerts-patch.yaml",
            "expr:",
            id="an alert of its own",
        ),
        pytest.param("ConfigMap", "data/LOG_LEVEL", f"{BASE}/config.env", "LOG_LEVEL=INFO", id="a setting"),
        pytest.param("ConfigMap", "data/NONE", f"{BASE}/kustomization.yaml", "- name: catalog", id="a missing one"),
        pytest.param("ConfigMap", "immutable", f"{BASE}/kustomization.yaml", "- name: catalog", id="a ConfigMap"),
    ],
)
def test_a_field_is_led_back_to_its_line(catalog: Rendered, kind: str, field: str, file: str, text: str) -> None:
    (content,) = (one.content for one in catalog.resources if one.identity.kind == kind)
    steps = [int(step) if step.isdigit() else step for step in field.split("/")]
    found, line = SourceMap(open_tree(ROOT)).locate(catalog.closure, content, steps)
    assert found == file
    assert text in (ROOT / file).read_text().splitlines()[line - 1]


def test_a_setting_in_a_file_of_a_configmap_is_led_back_to_its_line() -> None:
    build = built("prod-data-postgresql")
    (content,) = (one.content for one in build.resources if one.identity.kind == "ConfigMap")
    sources = SourceMap(open_tree(ROOT))
    file = "environments/prod/data/postgresql/release/apps/data/postgresql/postgresql.conf"
    found, line = sources.locate(build.closure, content, ["data", "postgresql.conf", "max_connections"])
    assert found == file
    assert (ROOT / file).read_text().splitlines()[line - 1].startswith("max_connections = ")
    assert sources.locate(build.closure, content, ["data", "postgresql.conf", "none"]) == (file, 1)
