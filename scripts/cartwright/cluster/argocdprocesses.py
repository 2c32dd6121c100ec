"""Argo CD's controllers as processes beside the hub, and the Redis that is their cache."""

from __future__ import annotations

from collections.abc import Mapping

from cartwright.cluster.blueprint import Component, Phase, Plan, roomy, stand_in
from cartwright.cluster.identities import ARGOCD_NAMESPACE
from cartwright.kernel.ports import LOOPBACK

__all__ = ["argocd_processes", "redis"]


def redis(plan: Plan) -> Component:
    """Argo CD's cache."""
    return Component(
        name="redis",
        phase=Phase.STORES,
        command=(str(plan.tools["redis-server"]), str(plan.layout.config / "redis.conf")),
        ports=("redis",),
    )


def argocd_processes(plan: Plan) -> list[Component]:
    """Repo-server, application controller and ApplicationSet controller."""
    identities = plan.clusters[plan.hub]
    ports = plan.ports
    settings = plan.layout.config / "argocd"
    cache = (
        f"--redis={LOOPBACK}:{ports['redis']}",
        "--redis-use-tls",
        f"--redis-ca-certificate={plan.shared.authority.certificate}",
    )
    repo_server = ("--repo-server-strict-tls",)
    address = f"{LOOPBACK}:{ports['argocd-repo-server']}"
    common = {
        "ARGOCD_APP_CONF_PATH": str(settings),
        "ARGOCD_TLS_DATA_PATH": str(settings / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(settings / "ssh"),
        "ARGOCD_GPG_ENABLED": "false",
        "REDIS_PASSWORD": plan.redis_password,
        "HOME": str(plan.layout.scratch),
        "TMPDIR": str(plan.layout.scratch),
    }

    def controller(
        name: str, *, workload: str, arguments: tuple[str, ...], variables: Mapping[str, str], listens: tuple[str, ...]
    ) -> Component:
        return Component(
            name=name,
            phase=Phase.ARGOCD,
            command=stand_in(
                plan,
                plan.hub,
                workload=workload,
                namespace=ARGOCD_NAMESPACE,
                command=(str(plan.tools["argocd"]), *arguments),
            ),
            environment={**common, "ARGOCD_BINARY_NAME": name, **variables},
            ports=listens,
        )

    return [
        controller(
            "argocd-repo-server",
            workload="deployment/argocd-repo-server",
            arguments=(
                f"--address={LOOPBACK}",
                f"--port={ports['argocd-repo-server']}",
                f"--metrics-address={LOOPBACK}",
                f"--metrics-port={ports['argocd-repo-server-metrics']}",
                # Two processors render; more at once would only wait for each other.
                "--parallelismlimit=4",
                *cache,
            ),
            variables={**plan.git_environment, "GOMEMLIMIT": "256MiB"},
            listens=("argocd-repo-server", "argocd-repo-server-metrics"),
        ),
        controller(
            "argocd-application-controller",
            workload="statefulset/argocd-application-controller",
            arguments=(
                f"--kubeconfig={identities.kubeconfigs['argocd-application-controller']}",
                f"--namespace={ARGOCD_NAMESPACE}",
                f"--repo-server={address}",
                *repo_server,
                # In the order of creation rather than all at once: two processors have no more to give.
                "--operation-processors=4",
                "--status-processors=4",
                f"--metrics-port={ports['argocd-application-controller-metrics']}",
                *cache,
            ),
            variables={
                **roomy("576MiB"),
                # `up` and `status` quote what objects say of their own health.
                "ARGOCD_APPLICATION_CONTROLLER_PERSIST_RESOURCE_HEALTH": "true",
                "ARGOCD_SYNC_WAVE_DELAY": "1",
            },
            listens=("argocd-application-controller-metrics",),
        ),
        controller(
            "argocd-applicationset-controller",
            workload="deployment/argocd-applicationset-controller",
            arguments=(
                f"--namespace={ARGOCD_NAMESPACE}",
                f"--argocd-repo-server={address}",
                *repo_server,
                f"--metrics-addr={LOOPBACK}:{ports['argocd-applicationset-controller-metrics']}",
                f"--probe-addr={LOOPBACK}:{ports['argocd-applicationset-controller-probe']}",
                f"--webhook-addr={LOOPBACK}:{ports['argocd-applicationset-controller-webhook']}",
            ),
            variables={
                "GOMEMLIMIT": "128MiB",
                "KUBECONFIG": str(identities.kubeconfigs["argocd-applicationset-controller"]),
            },
            listens=(
                "argocd-applicationset-controller-metrics",
                "argocd-applicationset-controller-probe",
                "argocd-applicationset-controller-webhook",
            ),
        ),
    ]
