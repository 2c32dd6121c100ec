"""The processes of one control plane, and those that simulate its nodes."""

from __future__ import annotations

from cartwright.cluster.blueprint import Component, Phase, Plan, kube_clients, pair, roomy, service_range
from cartwright.kernel.ports import LOOPBACK

__all__ = ["control_plane", "etcd"]


def etcd(plan: Plan) -> Component:
    """One etcd for all clusters; each API server has a prefix of its own."""
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


def control_plane(plan: Plan, environment: str, index: int) -> tuple[Component, ...]:
    """API server, controllers and simulated nodes of one cluster; ``index`` is its place in rank order."""
    return (
        _apiserver(plan, environment, index),
        _controller_manager(plan, environment),
        _scheduler(plan, environment),
        _kwok(plan, environment),
        _metrics_server(plan, environment),
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
            *pair("--etcd-certfile", "--etcd-keyfile", identities.etcd_client),
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            # The address is only good on this machine, so it is not published as the `kubernetes` endpoints.
            "--endpoint-reconciler-type=none",
            f"--secure-port={plan.ports[name]}",
            *pair("--tls-cert-file", "--tls-private-key-file", identities.server),
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
            *pair("--proxy-client-cert-file", "--proxy-client-key-file", identities.proxy_client),
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={identities.authority.certificate}",
            *pair("--kubelet-client-certificate", "--kubelet-client-key", identities.kubelet_client),
            "--profiling=false",
        ),
        environment=roomy("704MiB" if environment == plan.hub else "512MiB"),
        ports=(name,),
    )


def _controller_manager(plan: Plan, environment: str) -> Component:
    identities = plan.clusters[environment]
    return Component(
        name=f"kube-controller-manager-{environment}",
        phase=Phase.CONTROLLERS,
        command=(
            str(plan.tools["kube-controller-manager"]),
            *kube_clients(identities.kubeconfigs["kube-controller-manager"]),
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
            *kube_clients(identities.kubeconfigs["kube-scheduler"]),
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
            *pair("--tls-cert-file", "--tls-private-key-file", identities.node),
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
            *kube_clients(kubeconfig),
            f"--bind-address={LOOPBACK}",
            f"--secure-port={plan.ports[name]}",
            *pair("--tls-cert-file", "--tls-private-key-file", identities.metrics),
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            f"--kubelet-certificate-authority={identities.authority.certificate}",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ),
        environment={"GOMEMLIMIT": "96MiB"},
        ports=(name,),
    )
