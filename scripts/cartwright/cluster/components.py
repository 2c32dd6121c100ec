"""The programs that make up the embedded cluster, and their command lines.

Everything listens on the loopback address, speaks TLS and authenticates its callers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Network
from pathlib import Path

from cartwright.cluster.certificates import KeyPair
from cartwright.cluster.identities import ARGOCD_NAMESPACE, ClusterIdentities, SharedIdentities
from cartwright.cluster.ports import LOOPBACK
from cartwright.cluster.state import Layout

__all__ = [
    "TOOLS",
    "Component",
    "Phase",
    "Plan",
    "audit_folder",
    "plan_components",
    "port_names",
    "service_range",
    "webhook_certificates",
]

TOOLS = (
    "argocd",
    "etcd",
    "gatekeeper",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kustomize",
    "kwok",
    "metrics-server",
    "prometheus-operator",
)
"""The pinned tools that the embedded cluster is made of."""


class Phase(IntEnum):
    """When a component starts: each phase needs the one before it to answer."""

    STORES = 1
    """etcd and Redis."""
    SERVERS = 2
    """The API servers."""
    CONTROLLERS = 3
    """Everything that works through an API server."""
    ARGOCD = 4
    """Argo CD, once its own manifests are applied to the hub."""


@dataclass(frozen=True)
class Component:
    """One supervised process."""

    name: str
    """Unique name, such as ``kube-apiserver-dev``."""
    phase: Phase
    """When it starts."""
    command: tuple[str, ...]
    """Program and arguments."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of the supervisor's own."""
    ports: tuple[str, ...] = ()
    """Names of the ports it listens on."""


@dataclass(frozen=True)
class Plan:
    """All that command lines are made from."""

    layout: Layout
    """Folders and files."""
    environments: tuple[str, ...]
    """Environments whose clusters run."""
    hub: str
    """The environment whose cluster holds Argo CD."""
    ports: Mapping[str, int]
    """Port of every name in ``port_names``."""
    tools: Mapping[str, Path]
    """Binary of every name in ``TOOLS``, and ``redis-server``."""
    shared: SharedIdentities
    """Certificates of etcd and the repo-server."""
    clusters: Mapping[str, ClusterIdentities]
    """Certificates and kubeconfigs by environment."""
    redis_password: str
    """What Argo CD's controllers authenticate to Redis with."""
    python: str
    """The Python interpreter that runs ``cartwright.cluster.standin``."""
    kwok_config: Path
    """Stages, metrics and usage of the simulated nodes and pods."""
    git_environment: Mapping[str, str]
    """What makes kustomize find remote bases in local mirrors, see ``cartwright.mirrors``."""


def service_range(index: int) -> IPv4Network:
    """The Service addresses of the cluster with this index in rank order."""
    return IPv4Network(f"10.{96 + index}.0.0/16")


def port_names(environments: tuple[str, ...]) -> tuple[str, ...]:
    """The name of every listener."""
    per_cluster = ("kube-apiserver", "kwok", "metrics-server", "prometheus-operator", "gatekeeper", "gatekeeper-health")
    return (
        "etcd",
        "etcd-peer",
        "redis",
        "argocd-repo-server",
        "argocd-repo-server-metrics",
        "argocd-application-controller-metrics",
        "argocd-applicationset-controller-metrics",
        "argocd-applicationset-controller-probe",
        "argocd-applicationset-controller-webhook",
        *(f"{name}-{environment}" for environment in environments for name in per_cluster),
    )


def plan_components(plan: Plan) -> list[Component]:
    """Every component of the plan, in starting order."""
    per_cluster = [
        component
        for index, environment in enumerate(plan.environments)
        for component in (
            _apiserver(plan, environment, index),
            _controller_manager(plan, environment),
            _scheduler(plan, environment),
            _kwok(plan, environment),
            _metrics_server(plan, environment),
            _prometheus_operator(plan, environment),
            _gatekeeper(plan, environment),
        )
    ]
    components = [_etcd(plan), _redis(plan), *per_cluster, *_argocd(plan)]
    return sorted(components, key=lambda component: component.phase)


def _etcd(plan: Plan) -> Component:
    client = f"https://{LOOPBACK}:{plan.ports['etcd']}"
    peer = f"https://{LOOPBACK}:{plan.ports['etcd-peer']}"
    pair, authority = plan.shared.etcd, plan.shared.authority.certificate
    return Component(
        name="etcd",
        phase=Phase.STORES,
        command=(
            str(plan.tools["etcd"]),
            "--name=cartwright",
            f"--data-dir={plan.layout.data / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=cartwright={peer}",
            f"--cert-file={pair.certificate}",
            f"--key-file={pair.key}",
            f"--trusted-ca-file={authority}",
            "--client-cert-auth=true",
            f"--peer-cert-file={pair.certificate}",
            f"--peer-key-file={pair.key}",
            f"--peer-trusted-ca-file={authority}",
            "--peer-client-cert-auth=true",
            "--auto-compaction-retention=1h",
            "--logger=zap",
            "--log-level=warn",
        ),
        environment={"GOMEMLIMIT": "256MiB"},
        ports=("etcd", "etcd-peer"),
    )


def _redis(plan: Plan) -> Component:
    return Component(
        name="redis",
        phase=Phase.STORES,
        command=(str(plan.tools["redis-server"]), str(plan.layout.config / "redis.conf")),
        ports=("redis",),
    )


def _apiserver(plan: Plan, environment: str, index: int) -> Component:
    identities = plan.clusters[environment]
    name = f"kube-apiserver-{environment}"
    return Component(
        name=name,
        phase=Phase.SERVERS,
        command=(
            str(plan.tools["kube-apiserver"]),
            f"--etcd-servers=https://{LOOPBACK}:{plan.ports['etcd']}",
            f"--etcd-prefix=/{environment}",
            f"--etcd-cafile={plan.shared.authority.certificate}",
            *_pair("--etcd-certfile", "--etcd-keyfile", identities.etcd_client),
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            # The address is only good on this machine, so it is not published as the `kubernetes` endpoints.
            "--endpoint-reconciler-type=none",
            f"--secure-port={plan.ports[name]}",
            *_pair("--tls-cert-file", "--tls-private-key-file", identities.server),
            f"--client-ca-file={identities.authority.certificate}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction,PodSecurity",
            # Refusing privileged pods is PodSecurity's job here, as in managed clusters.
            "--allow-privileged=true",
            f"--service-cluster-ip-range={service_range(index)}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={identities.service_accounts.certificate}",
            f"--service-account-signing-key-file={identities.service_accounts.key}",
            f"--requestheader-client-ca-file={identities.front_proxy.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            *_pair("--proxy-client-cert-file", "--proxy-client-key-file", identities.proxy_client),
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={identities.authority.certificate}",
            *_pair("--kubelet-client-certificate", "--kubelet-client-key", identities.kubelet_client),
            "--profiling=false",
        ),
        environment=_roomy("704MiB" if environment == plan.hub else "512MiB"),
        ports=(name,),
    )


def _controller_manager(plan: Plan, environment: str) -> Component:
    identities = plan.clusters[environment]
    return Component(
        name=f"kube-controller-manager-{environment}",
        phase=Phase.CONTROLLERS,
        command=(
            str(plan.tools["kube-controller-manager"]),
            *_kube_clients(identities.kubeconfigs["kube-controller-manager"]),
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--root-ca-file={identities.authority.certificate}",
            f"--service-account-private-key-file={identities.service_accounts.key}",
            # KWOK gives pods their addresses.
            "--allocate-node-cidrs=false",
            # A person waits for the autoscaler's first verdict, and for what a push changes.
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
            "--profiling=false",
        ),
        environment={"GOMEMLIMIT": "256MiB"},
    )


def _scheduler(plan: Plan, environment: str) -> Component:
    identities = plan.clusters[environment]
    return Component(
        name=f"kube-scheduler-{environment}",
        phase=Phase.CONTROLLERS,
        command=(
            str(plan.tools["kube-scheduler"]),
            *_kube_clients(identities.kubeconfigs["kube-scheduler"]),
            "--secure-port=0",
            "--leader-elect=false",
            "--profiling=false",
        ),
        environment={"GOMEMLIMIT": "96MiB"},
    )


def _kwok(plan: Plan, environment: str) -> Component:
    identities = plan.clusters[environment]
    name = f"kwok-{environment}"
    port = plan.ports[name]
    return Component(
        name=name,
        phase=Phase.CONTROLLERS,
        command=(
            str(plan.tools["kwok"]),
            f"--kubeconfig={identities.kubeconfigs['kwok']}",
            f"--config={plan.kwok_config}",
            # Only nodes that ask for it are simulated: a real node may join the same cluster.
            "--manage-all-nodes=false",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--cidr=10.0.0.0/16",
            f"--node-ip={LOOPBACK}",
            f"--node-port={port}",
            f"--server-address={LOOPBACK}:{port}",
            *_pair("--tls-cert-file", "--tls-private-key-file", identities.node),
            "--node-lease-duration-seconds=120",
        ),
        environment={"GOMEMLIMIT": "96MiB"},
        ports=(name,),
    )


def _metrics_server(plan: Plan, environment: str) -> Component:
    identities = plan.clusters[environment]
    kubeconfig = identities.kubeconfigs["metrics-server"]
    name = f"metrics-server-{environment}"
    return Component(
        name=name,
        phase=Phase.CONTROLLERS,
        command=(
            str(plan.tools["metrics-server"]),
            *_kube_clients(kubeconfig),
            f"--bind-address={LOOPBACK}",
            f"--secure-port={plan.ports[name]}",
            *_pair("--tls-cert-file", "--tls-private-key-file", identities.metrics),
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            f"--kubelet-certificate-authority={identities.authority.certificate}",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ),
        environment={"GOMEMLIMIT": "96MiB"},
        ports=(name,),
    )


def _prometheus_operator(plan: Plan, environment: str) -> Component:
    identities = plan.clusters[environment]
    name = f"prometheus-operator-{environment}"
    client = identities.clients["prometheus-operator"]
    return Component(
        name=name,
        phase=Phase.CONTROLLERS,
        command=_stand_in(
            plan,
            kubeconfig=identities.kubeconfigs["admin"],
            workload="deployment/prometheus-operator",
            namespace="platform",
            command=(
                str(plan.tools["prometheus-operator"]),
                f"--apiserver=https://{LOOPBACK}:{plan.ports[f'kube-apiserver-{environment}']}",
                f"--ca-file={identities.authority.certificate}",
                *_pair("--cert-file", "--key-file", client),
                f"--web.listen-address={LOOPBACK}:{plan.ports[name]}",
            ),
        ),
        environment={"GOMEMLIMIT": "96MiB"},
        ports=(name,),
    )


def _gatekeeper(plan: Plan, environment: str) -> Component:
    """Webhook and audit in one process, with the flags that the manifests give the two."""
    identities = plan.clusters[environment]
    name = f"gatekeeper-{environment}"
    return Component(
        name=name,
        phase=Phase.CONTROLLERS,
        command=_stand_in(
            plan,
            kubeconfig=identities.kubeconfigs["admin"],
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


def _argocd(plan: Plan) -> list[Component]:
    identities = plan.clusters[plan.hub]
    ports = plan.ports
    settings = plan.layout.config / "argocd"
    redis = (
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
            command=_stand_in(
                plan,
                kubeconfig=identities.kubeconfigs["admin"],
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
                *redis,
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
                *redis,
            ),
            variables={
                **_roomy("576MiB"),
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


def _stand_in(
    plan: Plan,
    *,
    kubeconfig: Path,
    workload: str,
    namespace: str,
    command: tuple[str, ...],
    options: tuple[str, ...] = (),
) -> tuple[str, ...]:
    return (
        plan.python,
        "-m",
        "cartwright.cluster.standin",
        f"--kubectl={plan.tools['kubectl']}",
        f"--kubeconfig={kubeconfig}",
        f"--namespace={namespace}",
        *options,
        workload,
        "--",
        *command,
    )


def _kube_clients(kubeconfig: Path) -> tuple[str, ...]:
    return tuple(
        f"--{flag}={kubeconfig}" for flag in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    )


def _roomy(limit: str) -> dict[str, str]:
    """Variables for a program that by default would spend half its time collecting garbage while everything comes up.

    Args:
        limit: memory from which on it collects as often as it must.
    """
    return {"GOGC": "300", "GOMEMLIMIT": limit}


def _pair(certificate_flag: str, key_flag: str, pair: KeyPair) -> tuple[str, str]:
    return f"{certificate_flag}={pair.certificate}", f"{key_flag}={pair.key}"
