"""Processes that do the work of the platform's simulated pods: the Prometheus operator, and Gatekeeper."""

from __future__ import annotations

from pathlib import Path

from cartwright.cluster.blueprint import Component, Phase, Plan, pair, stand_in
from cartwright.cluster.state import Layout
from cartwright.kernel.ports import LOOPBACK

__all__ = ["audit_folder", "gatekeeper", "prometheus_operator", "webhook_certificates"]


def prometheus_operator(plan: Plan, environment: str) -> Component:
    """The operator of one cluster."""
    identities = plan.clusters[environment]
    name = f"prometheus-operator-{environment}"
    client = identities.clients["prometheus-operator"]
    return Component(
        name=name,
        phase=Phase.CONTROLLERS,
        command=stand_in(
            plan,
            environment,
            workload="deployment/prometheus-operator",
            namespace="platform",
            command=(
                str(plan.tools["prometheus-operator"]),
                f"--apiserver=https://{LOOPBACK}:{plan.ports[f'kube-apiserver-{environment}']}",
                f"--ca-file={identities.authority.certificate}",
                *pair("--cert-file", "--key-file", client),
                f"--web.listen-address={LOOPBACK}:{plan.ports[name]}",
            ),
        ),
        environment={"GOMEMLIMIT": "96MiB"},
        ports=(name,),
    )


def gatekeeper(plan: Plan, environment: str) -> Component:
    """Webhook and audit in one process, with the flags that the manifests give the two."""
    identities = plan.clusters[environment]
    name = f"gatekeeper-{environment}"
    return Component(
        name=name,
        phase=Phase.CONTROLLERS,
        command=stand_in(
            plan,
            environment,
            workload="deployment/gatekeeper-webhook",
            namespace="platform",
            # The status of constraints belongs to the pod that wrote it.
            options=("--also=deployment/gatekeeper-audit", "--as-pod"),
            command=(
                str(plan.tools["gatekeeper"]),
                f"--kubeconfig={identities.kubeconfigs['gatekeeper']}",
                f"--host={LOOPBACK}",
                f"--port={plan.ports[name]}",
                f"--health-addr={LOOPBACK}:{plan.ports[f'gatekeeper-health-{environment}']}",
                "--disable-cert-rotation",
                f"--cert-dir={webhook_certificates(plan.layout, environment)}",
                f"--api-cache-dir={audit_folder(plan.layout, environment)}",
                "--shutdown-delay=0",
                # Metrics would be served on every address of the machine; sent nowhere, they are served on none.
                "--metrics-backend=opentelemetry",
                f"--otlp-endpoint={LOOPBACK}:9",
                "--otlp-metric-interval=8760h",
                "--log-level=WARNING",
            ),
        ),
        environment={"GOMEMLIMIT": "160MiB"},
        ports=(name, f"gatekeeper-health-{environment}"),
    )


def audit_folder(layout: Layout, environment: str) -> Path:
    """Where Gatekeeper keeps what it lists for an audit."""
    return layout.scratch / f"gatekeeper-{environment}"


def webhook_certificates(layout: Layout, environment: str) -> Path:
    """Where Gatekeeper looks for ``tls.crt`` and ``tls.key``."""
    return layout.config / f"gatekeeper-{environment}"
