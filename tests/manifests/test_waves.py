"""The order inside a sync: namespaces, then what pods need, migrations, workloads, and what watches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cartwright.tree.applications import Application

Objects = Callable[..., list[tuple[Application, Mapping[str, Any]]]]
WAVES = {
    "Namespace": -3,
    "PriorityClass": -3,
    "CustomResourceDefinition": -3,
    "ConfigMap": -2,
    "ServiceAccount": -2,
    "NetworkPolicy": -2,
    "ResourceQuota": -2,
    "LimitRange": -2,
    "Role": -2,
    "RoleBinding": -2,
    "ClusterRole": -2,
    "ClusterRoleBinding": -2,
    "Deployment": 0,
    "StatefulSet": 0,
    "Service": 0,
    "Prometheus": 0,
    "HorizontalPodAutoscaler": 1,
    "PodDisruptionBudget": 1,
    "ServiceMonitor": 1,
    "PrometheusRule": 1,
    # Gatekeeper: what it knows, then what it enforces, and only then is it asked.
    "Config": 1,
    "ConstraintTemplate": 1,
    "CartwrightRule": 2,
    "ValidatingWebhookConfiguration": 3,
}
CONFIRMED = {"Namespace", "CustomResourceDefinition"}
APPEAR_ON_THE_WAY = {"Prometheus", "ServiceMonitor", "PrometheusRule", "CartwrightRule"}
"""Kinds of the Prometheus operator, and the one that Gatekeeper makes from its template."""


def _annotations(one: Mapping[str, Any]) -> Mapping[str, str]:
    return one["metadata"].get("annotations") or {}


def test_every_kind_has_its_wave(objects: Objects) -> None:
    for application, one in objects():
        if one["kind"] != "Job":
            wave = int(_annotations(one).get("argocd.argoproj.io/sync-wave", "0"))
            assert wave == WAVES[one["kind"]], f"{application.name}: {one['kind']} {one['metadata']['name']}"


def test_migrations_run_in_the_sync_between_settings_and_pods(objects: Objects) -> None:
    migrations = [one for _, one in objects("Job") if one["metadata"]["namespace"] == "shop"]
    assert {one["metadata"]["name"] for one in migrations} >= {"catalog-migration", "orders-migration"}
    for one in migrations:
        assert _annotations(one)["argocd.argoproj.io/hook"] == "Sync"
        assert _annotations(one)["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
        assert _annotations(one)["argocd.argoproj.io/sync-wave"] == "-1"


def test_a_migration_runs_the_image_of_the_release_it_belongs_to(objects: Objects) -> None:
    for environment in ("dev", "staging", "prod"):
        images = {
            one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
            for kind in ("Deployment", "Job")
            for _, one in objects(kind, environment=environment)
            if one["metadata"]["namespace"] == "shop"
        }
        migrations = {name for name in images if name.endswith("-migration")}
        assert migrations >= {"catalog-migration", "orders-migration"}
        for name in migrations:
            assert images[name] == images[name.removesuffix("-migration")]


def test_databases_are_created_once_postgresql_runs(objects: Objects) -> None:
    for _, one in objects("Job"):
        if one["metadata"]["namespace"] == "data":
            assert _annotations(one)["argocd.argoproj.io/hook"] == "Sync"
            assert int(_annotations(one)["argocd.argoproj.io/sync-wave"]) > WAVES["StatefulSet"]


def test_a_person_confirms_before_a_namespace_a_kind_or_a_volume_goes(objects: Objects) -> None:
    wanted = "Prune=confirm,Delete=confirm"
    key = "argocd.argoproj.io/sync-options"
    for application, one in objects():
        if one["kind"] in CONFIRMED:
            assert _annotations(one)[key] == wanted, f"{application.name}: {one['metadata']['name']}"
    claims = [claim for _, one in objects("StatefulSet") for claim in one["spec"]["volumeClaimTemplates"]]
    claims += [one["spec"]["storage"]["volumeClaimTemplate"] for _, one in objects("Prometheus")]
    assert len(claims) == 9
    assert [claim["metadata"]["annotations"][key] for claim in claims] == [wanted] * len(claims)


def test_the_first_sync_may_come_before_kinds_that_appear_on_the_way(objects: Objects) -> None:
    for application, one in objects():
        options = _annotations(one).get("argocd.argoproj.io/sync-options", "")
        skips = "SkipDryRunOnMissingResource=true" in options
        assert skips == (one["kind"] in APPEAR_ON_THE_WAY), f"{application.name}: {one['kind']}"
