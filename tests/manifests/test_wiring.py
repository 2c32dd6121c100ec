"""What one object says of another is true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cartwright.tree.applications import Application

from .conftest import containers, pod_template

Objects = Callable[..., list[tuple[Application, Mapping[str, Any]]]]
ENVIRONMENTS = ("dev", "staging", "prod")
FROM_THE_SECRET_STORE = {
    ("shop", "rabbitmq-auth", "password"),
    ("shop", "redis-auth", "password"),
    ("data", "postgresql-admin", "password"),
    ("data", "rabbitmq-auth", "password"),
    ("data", "redis-auth", "password"),
    *(("platform", "gatekeeper-webhook-server-cert", key) for key in ("ca.crt", "tls.crt", "tls.key")),
}
"""Namespace, name and key of what Git does not hold: from the platform's secret store, here from `cartwright up`.
Besides, `<service>-database` with the key `password` in shop and in data, for each service with a database."""
FROM_THE_CLUSTER = {"kube-root-ca.crt"}
"""ConfigMaps that Kubernetes itself puts into every namespace."""


def _pods(objects: Objects, environment: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Namespace and pod template of every workload, and of the Prometheus that the operator turns into one."""
    found = [
        (one["metadata"]["namespace"], template)
        for _, one in objects(environment=environment)
        if (template := pod_template(one))
    ]
    for _, one in objects("Prometheus", environment=environment):
        # What operator 0.85 gives the pods of a Prometheus.
        ports = [{"name": "web", "containerPort": 9090}]
        labels = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/managed-by": "prometheus-operator"}
        spec = {"serviceAccountName": one["spec"]["serviceAccountName"], "containers": [{"ports": ports}]}
        spec["priorityClassName"] = one["spec"]["priorityClassName"]
        found.append((one["metadata"]["namespace"], {"metadata": {"labels": labels}, "spec": spec}))
    return found


def _selects(selector: Mapping[str, str], template: Mapping[str, Any]) -> bool:
    labels = template["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_selector_is_the_name_of_the_app_alone_and_selects_one_workload(
    objects: Objects, environment: str
) -> None:
    pods = _pods(objects, environment)
    selectors = []
    for kind in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        for _, one in objects(kind, environment=environment):
            selectors.append((one, one["spec"]["selector"]["matchLabels"]))
    for _, one in objects("Service", environment=environment):
        selectors.append((one, one["spec"]["selector"]))
    assert len(selectors) > 10
    for one, selector in selectors:
        assert set(selector) == {"app.kubernetes.io/name"}
        selected = [
            pod for namespace, pod in pods if namespace == one["metadata"]["namespace"] and _selects(selector, pod)
        ]
        assert len(selected) == 1, f"{one['kind']} {one['metadata']['name']} selects {len(selected)} workloads"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_service_port_is_a_named_port_of_its_pods(objects: Objects, environment: str) -> None:
    pods = _pods(objects, environment)
    for _, service in objects("Service", environment=environment):
        (pod,) = (
            pod
            for namespace, pod in pods
            if namespace == service["metadata"]["namespace"] and _selects(service["spec"]["selector"], pod)
        )
        names = {port["name"] for container in containers(pod) for port in container.get("ports", ())}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names, service["metadata"]["name"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_service_monitor_selects_one_service_that_has_its_port(objects: Objects, environment: str) -> None:
    services = [one for _, one in objects("Service", environment=environment)]
    monitors = [
        (application, one)
        for application, one in objects("ServiceMonitor", environment=environment)
        # What stands in a namespace of its own is no app of this repository.
        if "namespaceSelector" not in one["spec"]
    ]
    assert len(monitors) >= 5
    for _, monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"]
        selected = [
            one
            for one in services
            if one["metadata"]["namespace"] == monitor["metadata"]["namespace"]
            and wanted.items() <= one["metadata"]["labels"].items()
        ]
        assert len(selected) == 1, monitor["metadata"]["name"]
        ports = {port["name"] for port in selected[0]["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_autoscaler_scales_the_deployment_of_its_own_name(objects: Objects, environment: str) -> None:
    deployments = {
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for _, one in objects("Deployment", environment=environment)
    }
    for _, one in objects("HorizontalPodAutoscaler", environment=environment):
        reference = one["spec"]["scaleTargetRef"]
        assert (reference["apiVersion"], reference["kind"]) == ("apps/v1", "Deployment")
        assert reference["name"] == one["metadata"]["name"] == one["metadata"]["labels"]["app.kubernetes.io/name"]
        assert (one["metadata"]["namespace"], reference["name"]) in deployments


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_secret_reference_is_to_one_that_the_secret_store_provides(objects: Objects, environment: str) -> None:
    assert [one for _, one in objects("Secret", environment=environment)] == []
    references = {
        (namespace, name, key)
        for namespace, pod in _pods(objects, environment)
        for name, key in _secret_references(pod["spec"])
    }
    of_databases = {
        (namespace, f"{name}-database", "password")
        for name in _databases(objects, environment)
        for namespace in ("shop", "data")
    }
    assert references == FROM_THE_SECRET_STORE | of_databases


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_configmap_service_account_and_priority_class_that_a_pod_names_exists(
    objects: Objects, environment: str
) -> None:
    there: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for _, one in objects(environment=environment):
        there[one["kind"]].add((one["metadata"].get("namespace", ""), one["metadata"]["name"]))
    for namespace, pod in _pods(objects, environment):
        spec = pod["spec"]
        assert (namespace, spec["serviceAccountName"]) in there["ServiceAccount"]
        assert ("", spec["priorityClassName"]) in there["PriorityClass"]
        for name in _configmap_references(spec):
            assert (namespace, name) in there["ConfigMap"], name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_bindings_name_a_role_and_an_account_that_exist(objects: Objects, environment: str) -> None:
    names = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
        for _, one in objects(environment=environment)
    }
    bindings = objects("RoleBinding", environment=environment) + objects("ClusterRoleBinding", environment=environment)
    assert len(bindings) == 6
    for _, one in bindings:
        role = one["roleRef"]
        namespace = one["metadata"]["namespace"] if role["kind"] == "Role" else ""
        assert (role["kind"], namespace, role["name"]) in names
        for subject in one["subjects"]:
            assert (subject["kind"], subject["namespace"], subject["name"]) in names


def test_metrics_are_declared_in_the_dependency_map_where_there_is_a_service_monitor(
    objects: Objects, documents: Callable[[str], list[dict[str, Any]]]
) -> None:
    (declared,) = documents("apps/dependencies.yaml")
    monitored = {
        application.app for application, one in objects("ServiceMonitor") if "namespaceSelector" not in one["spec"]
    }
    assert {app for app, entry in declared["apps"].items() if "metrics" in entry} == monitored


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_dependency_map_names_every_pod_and_no_other(
    objects: Objects, documents: Callable[[str], list[dict[str, Any]]], environment: str
) -> None:
    (declared,) = documents("apps/dependencies.yaml")
    named = {
        (app.split("/")[0], name)
        for app, entry in declared["apps"].items()
        for name in entry.get("pods", [app.split("/")[1]])
    }
    pods = {
        (namespace, pod["metadata"]["labels"]["app.kubernetes.io/name"])
        for namespace, pod in _pods(objects, environment)
    }
    assert named == pods


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_service_has_a_database_of_its_name_that_postgresql_creates(objects: Objects, environment: str) -> None:
    (job,) = (
        one for _, one in objects("Job", environment=environment) if one["metadata"]["name"] == "postgresql-databases"
    )
    created = {
        source["secret"]["items"][0]["path"].split("/")[0]
        for volume in job["spec"]["template"]["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    }
    assert created == _databases(objects, environment) >= {"catalog", "orders"}


def _databases(objects: Objects, environment: str) -> set[str]:
    """The databases that services are told to use, each named like its service."""
    return {
        one["data"]["DATABASE_NAME"]
        for _, one in objects("ConfigMap", environment=environment)
        if "DATABASE_NAME" in one["data"]
    }


def _secret_references(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for container in spec["containers"]:
        for variable in container.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"], reference["key"]
        for source in container.get("envFrom", ()):
            assert "secretRef" not in source, "a whole Secret in the environment says nothing of the keys"
    for volume in spec.get("volumes", ()):
        assert "secret" not in volume, "read keys by name, through a projected volume"
        for source in volume.get("projected", {}).get("sources", ()):
            if "secret" in source:
                for item in source["secret"]["items"]:
                    yield source["secret"]["name"], item["key"]


def _configmap_references(spec: Mapping[str, Any]) -> Iterator[str]:
    for container in spec["containers"]:
        for source in container.get("envFrom", ()):
            yield source["configMapRef"]["name"]
    for volume in spec.get("volumes", ()):
        if "configMap" in volume:
            yield volume["configMap"]["name"]
        for source in volume.get("projected", {}).get("sources", ()):
            if "configMap" in source and source["configMap"]["name"] not in FROM_THE_CLUSTER:
                yield source["configMap"]["name"]


def test_prometheus_may_reach_every_neighbour_that_it_monitors(
    objects: Objects, documents: Callable[[str], list[dict[str, Any]]]
) -> None:
    (declared,) = documents("apps/dependencies.yaml")
    monitored = {
        namespace
        for _, one in objects("ServiceMonitor")
        for namespace in one["spec"].get("namespaceSelector", {}).get("matchNames", ())
    }
    assert {one["namespace"] for one in declared["neighbours"].values()} == monitored == {"argocd"}
