"""How much of everything each environment has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cartwright.tree.applications import Application
from cartwright.tree.repository import find_root

from .conftest import containers, pod_template

Objects = Callable[..., list[tuple[Application, Mapping[str, Any]]]]
SERVICES = {path.name for path in (find_root(Path(__file__)) / "apps" / "shop").iterdir()}
"""Every service; a new one is held to the same sizes."""


def _shop(objects: Objects, kind: str, environment: str) -> dict[str, Mapping[str, Any]]:
    found = [content for _, content in objects(kind, environment=environment)]
    return {one["metadata"]["name"]: one for one in found if one["metadata"]["namespace"] == "shop"}


def test_dev_runs_one_pod_of_each_service_and_no_autoscaler(objects: Objects) -> None:
    deployments = _shop(objects, "Deployment", "dev")
    assert {name: one["spec"]["replicas"] for name, one in deployments.items()} == dict.fromkeys(SERVICES, 1)
    assert objects("HorizontalPodAutoscaler", environment="dev") == []
    assert objects("PodDisruptionBudget", environment="dev") == []


@pytest.mark.parametrize(("environment", "least"), [("staging", 2), ("prod", 3)])
def test_an_autoscaler_keeps_at_least_so_many_pods_of_each_service(
    objects: Objects, environment: str, least: int
) -> None:
    scalers = _shop(objects, "HorizontalPodAutoscaler", environment)
    assert set(scalers) == SERVICES
    for one in scalers.values():
        assert one["spec"]["minReplicas"] >= least
        assert one["spec"]["maxReplicas"] > one["spec"]["minReplicas"]


def test_autoscalers_aim_at_70_percent_cpu_and_80_percent_memory(objects: Objects) -> None:
    for _, one in objects("HorizontalPodAutoscaler"):
        targets = {
            metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"]
            for metric in one["spec"]["metrics"]
        }
        assert targets == {"cpu": 70, "memory": 80}


def test_staging_starts_with_two_pods_of_each_service(objects: Objects) -> None:
    scalers = _shop(objects, "HorizontalPodAutoscaler", "staging")
    assert {name: one["spec"]["minReplicas"] for name, one in scalers.items()} == dict.fromkeys(SERVICES, 2)


def test_prod_has_a_disruption_budget_and_a_spread_over_zones_and_nodes_for_each_service(objects: Objects) -> None:
    budgets = _shop(objects, "PodDisruptionBudget", "prod")
    assert {name: one["spec"]["maxUnavailable"] for name, one in budgets.items()} == dict.fromkeys(SERVICES, 1)
    for name, one in _shop(objects, "Deployment", "prod").items():
        constraints = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [(each["topologyKey"], each["whenUnsatisfiable"]) for each in constraints] == [
            ("topology.kubernetes.io/zone", "DoNotSchedule"),
            ("kubernetes.io/hostname", "ScheduleAnyway"),
        ]
        assert all(each["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": name} for each in constraints), (
            name
        )


def test_no_deployment_states_replicas_under_an_autoscaler(objects: Objects) -> None:
    for environment in ("dev", "staging", "prod"):
        scaled = {
            (one["metadata"]["namespace"], one["spec"]["scaleTargetRef"]["name"])
            for _, one in objects("HorizontalPodAutoscaler", environment=environment)
        }
        for _, one in objects("Deployment", environment=environment):
            key = (one["metadata"]["namespace"], one["metadata"]["name"])
            assert ("replicas" in one["spec"]) == (key not in scaled), key


def test_rollouts_add_one_pod_before_they_take_one(objects: Objects) -> None:
    deployments = objects("Deployment")
    assert deployments
    for application, one in deployments:
        assert one["spec"]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }, application.name


def test_every_namespace_of_every_environment_has_quota_limits_and_default_deny(objects: Objects) -> None:
    for environment in ("dev", "staging", "prod"):
        namespaces = {one["metadata"]["name"] for _, one in objects("Namespace", environment=environment)}
        assert namespaces == {"shop", "data", "monitoring", "platform"}
        for kind in ("ResourceQuota", "LimitRange"):
            assert {one["metadata"]["namespace"] for _, one in objects(kind, environment=environment)} == namespaces
        denied = {
            one["metadata"]["namespace"]
            for _, one in objects("NetworkPolicy", environment=environment)
            if one["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        }
        assert denied == namespaces


def test_the_most_that_may_run_at_once_fits_the_quota(objects: Objects) -> None:
    for environment in ("dev", "staging", "prod"):
        most = {
            one["spec"]["scaleTargetRef"]["name"]: one["spec"]["maxReplicas"]
            for _, one in objects("HorizontalPodAutoscaler", environment=environment)
        }
        needed: dict[str, dict[str, float]] = {}
        for application, one in objects(environment=environment):
            template = pod_template(one)
            if template is None:
                continue
            # A rollout runs one pod more than asked for; a Job runs beside everything else.
            pods = 1 if one["kind"] == "Job" else most.get(one["metadata"]["name"], one["spec"].get("replicas", 1)) + 1
            total = needed.setdefault(application.namespace, {})
            total["pods"] = total.get("pods", 0) + pods
            for container in containers(template):
                for side, resources in container["resources"].items():
                    for name, quantity in resources.items():
                        total[f"{side}.{name}"] = total.get(f"{side}.{name}", 0) + pods * _number(quantity)
        for _, one in objects("ResourceQuota", environment=environment):
            hard = one["spec"]["hard"]
            for name, amount in needed.get(one["metadata"]["namespace"], {}).items():
                assert amount <= _number(hard[name]), f"{environment} {one['metadata']['namespace']} {name}"


def _number(quantity: str | int) -> float:
    text = str(quantity)
    for suffix, factor in {"Gi": 2.0**30, "Mi": 2.0**20, "m": 0.001}.items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)
