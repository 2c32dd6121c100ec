"""What the API server must hold for a real node: name service, volumes, and which namespaces are real."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cartwright.cluster.node.layout import LABEL, REAL, SIMULATED, NodeLayout
from cartwright.tools import asset

__all__ = [
    "ADDRESS",
    "COREDNS",
    "FIREWALL",
    "HELPER_LABEL",
    "PROVISIONER",
    "STORAGE_NAMESPACE",
    "node_objects",
    "placement",
]

STORAGE_NAMESPACE = "local-path-storage"
COREDNS = "kube-system:coredns"
"""Namespace and name of CoreDNS's ServiceAccount."""
PROVISIONER = "cartwright:local-path-provisioner"
"""User that local-path-provisioner is: the name of its ServiceAccount is too long for a certificate."""
FIREWALL = "cartwright:kube-router"
"""User that kube-router is."""
HELPER_LABEL = "cartwright.dev/volume-helper"
"""Label of the pods that make and remove the folder of a volume."""
ADDRESS = "cartwright.dev/address"
"""Annotation of a simulated pod whose process listens on an address of this machine."""
_PLACEMENT = "cartwright-node-placement"


def placement(namespaces: Iterable[str]) -> list[dict[str, Any]]:
    """Which pods go to the real node, as a MutatingAdmissionPolicy of the embedded cluster.

    The manifests stay what they are everywhere: no selector of ours stands in them.

    Args:
        namespaces: those whose pods are containers; all others are simulated.
    """
    chosen = f"request.namespace in {json.dumps(sorted(namespaces))} ? '{REAL}' : '{SIMULATED}'"
    patch = f"""has(object.spec.nodeSelector)
      ? [JSONPatch{{op: 'add', path: '/spec/nodeSelector/' + jsonpatch.escapeKey('{LABEL}'), value: {chosen}}}]
      : [JSONPatch{{op: 'add', path: '/spec/nodeSelector', value: {{'{LABEL}': {chosen}}}}}]"""
    spec = {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ]
        },
        # A volume's helper says itself which node it is for.
        "matchConditions": [{"name": "no-helper", "expression": f"request.namespace != '{STORAGE_NAMESPACE}'"}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    return [
        _admission("MutatingAdmissionPolicy", spec),
        _admission("MutatingAdmissionPolicyBinding", {"policyName": _PLACEMENT}),
    ]


def _admission(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": _PLACEMENT},
        "spec": dict(spec),
    }


def node_objects(node: NodeLayout, *, dns: str, helper_image: str) -> list[dict[str, Any]]:
    """Everything that is applied before the node's programs start.

    Args:
        node: the node.
        dns: address of the name service.
        helper_image: an image with a shell, which makes and removes folders.
    """
    namespace, account = COREDNS.split(":")
    return [
        *_name_service(node, dns),
        *_rights("coredns", {"kind": "ServiceAccount", "name": account, "namespace": namespace}, _COREDNS_READS),
        *_rights("kube-router", {**_USER, "name": FIREWALL}, _FIREWALL_READS),
        *_volumes(helper_image),
    ]


def _name_service(node: NodeLayout, address: str) -> list[dict[str, Any]]:
    labels = {"k8s-app": "kube-dns"}
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    metadata = {"name": "kube-dns", "namespace": "kube-system", "labels": labels}
    namespace, account = COREDNS.split(":")
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}},
        {
            # Policies let pods resolve names by naming the pods that do it, as every cluster has them. This one's
            # pod is simulated and has the address of the process that does its work.
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "coredns", "namespace": namespace, "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": {ADDRESS: str(node.address)}},
                    "spec": {
                        "serviceAccountName": account,
                        "automountServiceAccountToken": False,
                        "containers": [{"name": "coredns", "image": "coredns"}],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            # No selector: CoreDNS is a process of this machine, no pod.
            "spec": {"clusterIP": address, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns",
                "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [str(node.address)], "conditions": {"ready": True}}],
            "ports": ports,
        },
    ]


_USER = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User"}
_COREDNS_READS: Mapping[str, list[str]] = {
    "": ["endpoints", "namespaces", "pods", "services"],
    "discovery.k8s.io": ["endpointslices"],
}
_FIREWALL_READS: Mapping[str, list[str]] = {
    "": ["namespaces", "nodes", "pods", "services"],
    "discovery.k8s.io": ["endpointslices"],
    "networking.k8s.io": ["networkpolicies"],
}


def _rights(name: str, subject: Mapping[str, str], reads: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Reading, and nothing else, of resources by API group."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"cartwright:{name}"}
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role["name"]},
            "rules": [
                {"apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"]}
                for group, resources in reads.items()
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role["name"]},
            "roleRef": role,
            "subjects": [dict(subject)],
        },
    ]


def _volumes(helper_image: str) -> list[dict[str, Any]]:
    """local-path-provisioner's own manifest without its Deployment, which runs as a process here."""
    manifest = asset("local-path-provisioner", "deploy/local-path-storage.yaml")
    found = [document for document in _documents(manifest) if document["kind"] != "Deployment"]
    for document in found:
        if document["kind"] == "Namespace":
            # Its helper pods mount folders of the node: that is what they are for.
            document["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "privileged"}
        if document["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
            document["subjects"] = [{**_USER, "name": PROVISIONER}]
        if document["kind"] == "StorageClass":
            document["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
        if document["kind"] == "ConfigMap":
            pod = yaml.safe_load(document["data"]["helperPod.yaml"])
            pod["metadata"]["labels"] = {HELPER_LABEL: "true"}
            pod["spec"]["automountServiceAccountToken"] = False
            # Volumes lie in a folder that only root writes to.
            pod["spec"]["securityContext"] = {"runAsUser": 0, "runAsGroup": 0}
            pod["spec"]["containers"][0]["image"] = helper_image
            document["data"]["helperPod.yaml"] = yaml.safe_dump(pod, sort_keys=False)
    return found


def _documents(file: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document]
