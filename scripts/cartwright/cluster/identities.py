"""Who may talk to whom: every certificate and kubeconfig of the embedded cluster.

A component that stands in for a Deployment (Argo CD's controllers, KWOK, the Prometheus operator) gets a certificate
in the name of that Deployment's ServiceAccount: it may do what the manifests' own RBAC lets it do, and no more.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.cluster.certificates import Authority, KeyPair, signing_key
from cartwright.cluster.state import Layout
from cartwright.kernel.atomic import write_text
from cartwright.kernel.ports import LOOPBACK

__all__ = [
    "ARGOCD_NAMESPACE",
    "ClusterIdentities",
    "SharedIdentities",
    "cluster_identities",
    "shared_identities",
    "write_kubeconfig",
]

ARGOCD_NAMESPACE = "argocd"

_SERVICE_ACCOUNTS = {
    "kwok": "kube-system:kwok-controller",
    "metrics-server": "kube-system:metrics-server",
    "prometheus-operator": "platform:prometheus-operator",
    "gatekeeper": "platform:gatekeeper",
}
_HUB_SERVICE_ACCOUNTS = {
    "argocd-application-controller": f"{ARGOCD_NAMESPACE}:argocd-application-controller",
    "argocd-applicationset-controller": f"{ARGOCD_NAMESPACE}:argocd-applicationset-controller",
}


@dataclass(frozen=True)
class SharedIdentities:
    """Certificates of what all clusters share."""

    authority: Authority
    """Issuer of these certificates."""
    etcd: KeyPair
    """etcd's own, for clients and for its peer port."""
    repo_server: KeyPair
    """Argo CD's repo-server."""


@dataclass(frozen=True)
class ClusterIdentities:
    """Certificates and kubeconfigs of one cluster."""

    authority: Authority
    """Issuer of serving and client certificates."""
    front_proxy: Authority
    """Issuer of the aggregation layer's client certificate."""
    server: KeyPair
    """kube-apiserver's serving certificate."""
    etcd_client: KeyPair
    """kube-apiserver's certificate towards etcd."""
    kubelet_client: KeyPair
    """kube-apiserver's certificate towards nodes."""
    proxy_client: KeyPair
    """kube-apiserver's certificate towards aggregated APIs."""
    service_accounts: KeyPair
    """Signs ServiceAccount tokens."""
    node: KeyPair
    """What the simulated nodes answer with."""
    metrics: KeyPair
    """metrics-server's serving certificate."""
    gatekeeper: KeyPair
    """What Gatekeeper's webhook answers with."""
    argocd: KeyPair
    """Argo CD's certificate towards this cluster, part of its registration."""
    clients: dict[str, KeyPair]
    """Client certificates by component."""
    kubeconfigs: dict[str, Path]
    """Kubeconfigs by component; ``admin`` is the user's."""


def shared_identities(layout: Layout) -> SharedIdentities:
    """Make, or keep, the certificates that do not belong to one cluster."""
    authority = Authority.open(layout.pki / "shared", "ca")
    local = (LOOPBACK, "localhost")
    return SharedIdentities(
        authority=authority,
        etcd=authority.issue("etcd", common_name="etcd", hosts=local),
        repo_server=authority.issue("repo-server", common_name="argocd-repo-server", hosts=local),
    )


def cluster_identities(
    layout: Layout, *, cluster: str, shared: SharedIdentities, port: int, service_address: str, hub: bool
) -> ClusterIdentities:
    """Make, or keep, the certificates and kubeconfigs of one cluster.

    Args:
        layout: where files go.
        cluster: its name.
        shared: the authority that etcd trusts.
        port: kube-apiserver's port.
        service_address: the first address of the Service range, which pods know the API server by.
        hub: whether Argo CD lives in it.
    """
    folder = layout.pki / cluster
    authority = Authority.open(folder, "ca")
    front_proxy = Authority.open(folder, "front-proxy-ca")
    local = (LOOPBACK, "localhost")
    accounts = {**_SERVICE_ACCOUNTS, **(_HUB_SERVICE_ACCOUNTS if hub else {})}
    clients = {
        "admin": authority.issue("admin", common_name="cartwright-admin", organizations=("system:masters",)),
        "kube-controller-manager": authority.issue(
            "kube-controller-manager", common_name="system:kube-controller-manager"
        ),
        "kube-scheduler": authority.issue("kube-scheduler", common_name="system:kube-scheduler"),
        **{
            name: authority.issue(
                name,
                common_name=f"system:serviceaccount:{account}",
                organizations=("system:serviceaccounts", f"system:serviceaccounts:{account.split(':')[0]}"),
            )
            for name, account in accounts.items()
        },
    }
    identities = ClusterIdentities(
        authority=authority,
        front_proxy=front_proxy,
        server=authority.issue(
            "kube-apiserver",
            common_name="kube-apiserver",
            hosts=(
                *local,
                service_address,
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ),
        ),
        etcd_client=shared.authority.issue(f"etcd-client-{cluster}", common_name=f"kube-apiserver-{cluster}"),
        kubelet_client=authority.issue(
            "kubelet-client", common_name="kube-apiserver-kubelet-client", organizations=("kubeadm:cluster-admins",)
        ),
        proxy_client=front_proxy.issue("front-proxy-client", common_name="front-proxy-client"),
        service_accounts=signing_key(folder, "service-accounts"),
        node=authority.issue("node", common_name="kwok", hosts=local),
        metrics=authority.issue(
            "metrics-serving", common_name="metrics-server", hosts=(*local, "metrics-server.kube-system.svc")
        ),
        gatekeeper=authority.issue("gatekeeper-serving", common_name="gatekeeper", hosts=local),
        argocd=authority.issue("argocd-manager", common_name="argocd-manager"),
        clients=clients,
        kubeconfigs={
            name: layout.kubeconfig(cluster) if name == "admin" else folder / f"{name}.kubeconfig" for name in clients
        },
    )
    for name, path in identities.kubeconfigs.items():
        write_kubeconfig(
            path,
            cluster=f"cartwright-{cluster}",
            server=f"https://{LOOPBACK}:{port}",
            authority=authority.certificate,
            client=clients[name],
        )
    return identities


def write_kubeconfig(path: Path, *, cluster: str, server: str, authority: Path, client: KeyPair) -> None:
    """Write a kubeconfig that needs no other file, unless it is there already. JSON is YAML."""
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": _data(authority)}}],
        "users": [
            {
                "name": cluster,
                "user": {
                    "client-certificate-data": _data(client.certificate),
                    "client-key-data": _data(client.key),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
    }
    text = json.dumps(content, indent=2) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_text(path, text, mode=0o600)


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
