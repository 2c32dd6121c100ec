"""How every pod is run: confined, probed, limited, and ended in time. In all environments alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cartwright.tree.applications import Application

from .conftest import containers, pod_template

Objects = Callable[..., list[tuple[Application, Mapping[str, Any]]]]


def _workloads(objects: Objects) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """A readable name, the workload, its pod template."""
    found = [
        (f"{application.environment} {one['kind']} {one['metadata']['name']}", one, template)
        for application, one in objects()
        if (template := pod_template(one))
    ]
    assert len(found) >= 3 * 9
    return found


def test_every_pod_runs_as_a_stated_user_without_rights(objects: Objects) -> None:
    for name, _, template in _workloads(objects):
        context = template["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_every_pod_has_somewhere_to_write_of_a_limited_size(objects: Objects) -> None:
    for name, _, template in _workloads(objects):
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        assert "sizeLimit" in volumes["tmp"]["emptyDir"], name
        for container in containers(template):
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"], name


def test_every_container_states_requests_and_limits_of_cpu_and_memory(objects: Objects) -> None:
    for name, _, template in _workloads(objects):
        for container in containers(template):
            for side in ("requests", "limits"):
                assert set(container["resources"][side]) == {"cpu", "memory"}, name


def test_no_pod_gets_a_token_by_itself(objects: Objects) -> None:
    for name, _, template in _workloads(objects):
        assert template["spec"]["automountServiceAccountToken"] is False, name
    accounts = objects("ServiceAccount")
    assert accounts
    assert all(one["automountServiceAccountToken"] is False for _, one in accounts)


def test_everything_that_serves_has_three_probes_a_pause_and_time_to_end(objects: Objects) -> None:
    for name, one, template in _workloads(objects):
        if one["kind"] == "Job":
            continue
        spec = template["spec"]
        for container in spec["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
            pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert 0 < pause < spec["terminationGracePeriodSeconds"], name
        assert one["spec"]["revisionHistoryLimit"] == 5, name
        if one["kind"] == "Deployment":
            assert one["spec"]["progressDeadlineSeconds"] == 300, name


def test_a_service_has_26_seconds_to_end_and_is_given_30(objects: Objects) -> None:
    # 5 s preStop, then the kit's SHUTDOWN_DRAIN_SECONDS and SHUTDOWN_GRACE_SECONDS: 3 and 18.
    for name, one, template in _workloads(objects):
        if one["metadata"]["namespace"] == "shop" and one["kind"] == "Deployment":
            (container,) = template["spec"]["containers"]
            assert container["lifecycle"]["preStop"]["sleep"]["seconds"] + 3 + 18 == 26, name
            assert template["spec"]["terminationGracePeriodSeconds"] == 30, name


def test_every_job_gives_up_in_time(objects: Objects) -> None:
    jobs = objects("Job")
    assert len(jobs) >= 3 * 3
    for application, one in jobs:
        assert one["spec"]["activeDeadlineSeconds"] == 300, application.name
        assert one["spec"]["backoffLimit"] <= 5, application.name


def test_every_object_carries_the_four_recommended_labels(objects: Objects) -> None:
    for application, one in objects():
        if not application.path.startswith("environments/") or one["kind"] == "CustomResourceDefinition":
            continue
        labels = one["metadata"].get("labels") or {}
        assert labels.get("app.kubernetes.io/part-of") == "cartwright", f"{application.name} {one['kind']}"
        assert labels.get("app.kubernetes.io/managed-by") == "argocd", f"{application.name} {one['kind']}"
        assert "app.kubernetes.io/name" in labels, f"{application.name} {one['kind']}"
