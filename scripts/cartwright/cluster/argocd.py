"""Argo CD in the hub: install it, register clusters, apply the root, read what it says of its Applications.

Only ``argocd/install`` and ``argocd/root.yaml`` are applied, as on a real cluster. Three things differ in the embedded
cluster, and none touches Git: the clusters' registrations are completed with addresses and credentials, the root is
told to rewrite the repository's URL to the bare remote in what it syncs, and Gatekeeper's webhook is a process with an
address instead of a Service.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from cartwright.cluster.certificates import Authority
from cartwright.cluster.identities import ARGOCD_NAMESPACE, ClusterIdentities
from cartwright.cluster.kubectl import Kubectl
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.ports import LOOPBACK
from cartwright.kernel.run import run
from cartwright.policy.patches import APP as GATEKEEPER
from cartwright.policy.webhook import WEBHOOK_GROUP, WEBHOOK_KIND, WEBHOOK_NAME, WEBHOOK_PATH, WEBHOOKS
from cartwright.promotion.argo import AppState, parse_application
from cartwright.tree.repository import FolderTree
from cartwright.yaml.read import load_all

__all__ = [
    "ROOT_NAME",
    "Webhook",
    "apply_install",
    "apply_root",
    "read_applications",
    "register_cluster",
    "root_objects",
]

ROOT_FILE = "argocd/root.yaml"
ROOT_NAME = "root"
"""The Application that syncs ``argocd/`` itself."""
_INSTALL = "argocd/install"
_IN_CLUSTER = "in-cluster"
"""What Argo CD calls the cluster that its own pods run in."""
_PATIENCE_SECONDS = 30.0
"""How long new kinds may take to be served after their definitions are applied."""


@dataclass(frozen=True)
class Webhook:
    """Where a cluster's Gatekeeper answers."""

    port: int
    authority: Authority
    """Issuer of its certificate."""

    @property
    def client_config(self) -> dict[str, str]:
        """How the API server reaches it."""
        return {
            "url": f"https://{LOOPBACK}:{self.port}{WEBHOOK_PATH}",
            "caBundle": base64.b64encode(self.authority.certificate.read_bytes()).decode(),
        }


def apply_install(kubectl: Kubectl, kustomize: Path, tree: FolderTree, *, environment: Mapping[str, str]) -> None:
    """Apply Argo CD itself.

    Raises:
        ToolError: kustomize can't render it, or the hub refuses it.
    """
    rendered = run([kustomize, "build", tree.root / _INSTALL], env=environment, timeout=120).stdout
    _apply_patiently(kubectl, rendered)


def register_cluster(
    kubectl: Kubectl, tree: FolderTree, *, cluster: str, port: int, identities: ClusterIdentities
) -> None:
    """Apply the cluster's registration with the address and credentials that Git does not hold.

    Raises:
        UserError: ``clusters/<cluster>/registration.yaml`` is missing or is not one Secret.
    """
    file = f"clusters/{cluster}/registration.yaml"
    documents = load_all(tree.text(file), file)
    if len(documents) != 1 or documents[0].get("kind") != "Secret":
        raise UserError("is not one Secret, the cluster's registration in Argo CD", file=file)
    registration = json.loads(json.dumps(documents[0]))
    registration["metadata"]["namespace"] = ARGOCD_NAMESPACE
    registration["stringData"] = {
        **registration.get("stringData", {}),
        "server": f"https://{LOOPBACK}:{port}",
        "config": json.dumps({"tlsClientConfig": _credentials(identities.authority, identities)}),
    }
    kubectl.apply([registration])


def apply_root(kubectl: Kubectl, objects: Sequence[Mapping[str, Any]]) -> None:
    """Apply what ``root_objects`` made of the root.

    Raises:
        ToolError: the hub refuses it.
    """
    _apply_patiently(kubectl, json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def root_objects(
    tree: FolderTree,
    kustomize: Path,
    *,
    url: str,
    hub: str,
    clusters: Collection[str],
    webhooks: Mapping[str, Webhook],
    environment: Mapping[str, str],
) -> list[dict[str, Any]]:
    """``argocd/root.yaml`` for the embedded hub.

    Args:
        tree: the files that Argo CD will see.
        kustomize: the pinned kustomize.
        url: the bare remote, in the place of the repository's own URL.
        hub: the cluster that Argo CD runs in.
        clusters: which clusters run; ApplicationSets of others are left out.
        webhooks: where Gatekeeper answers, by cluster.
        environment: variables for kustomize.

    Raises:
        UserError: root.yaml holds no Application, or names no repository.
    """
    objects = [json.loads(json.dumps(document)) for document in load_all(tree.text(ROOT_FILE), ROOT_FILE)]
    root = next((one for one in objects if one.get("kind") == "Application"), None)
    own_url = (root or {}).get("spec", {}).get("source", {}).get("repoURL")
    if root is None or not own_url:
        raise UserError("holds no Application with a spec.source.repoURL", file=ROOT_FILE)
    path = root["spec"]["source"]["path"]
    rendered = run([kustomize, "build", tree.root / path], env=environment, timeout=60).stdout
    patches = [
        patch
        for document in yaml.safe_load_all(rendered)
        if document
        for patch in [_patch(document, own_url=own_url, url=url, clusters=clusters, webhooks=webhooks)]
        if patch
    ]
    # The controllers run beside the hub, not in a pod of it, so they know it by its registration alone.
    objects = [_replaced(one, {own_url: url, _IN_CLUSTER: hub}) for one in objects]
    root = next(one for one in objects if one.get("kind") == "Application")
    root["spec"]["source"]["kustomize"] = {"patches": patches}
    return objects


def read_applications(kubectl: Kubectl) -> dict[str, AppState]:
    """What Argo CD says of every Application, by name; nothing before it is installed."""
    items = kubectl.items(f"--namespace={ARGOCD_NAMESPACE}", "applications.argoproj.io")
    return {state.name: state for state in map(parse_application, items)}


def _patch(
    document: Mapping[str, Any],
    *,
    own_url: str,
    url: str,
    clusters: Collection[str],
    webhooks: Mapping[str, Webhook],
) -> dict[str, Any] | None:
    """What kustomize must change in one object that the root syncs."""
    target = {
        "group": str(document["apiVersion"]).partition("/")[0],
        "kind": document["kind"],
        "name": document["metadata"]["name"],
    }
    if document["kind"] == "ApplicationSet":
        cluster = document["spec"]["template"]["spec"]["destination"].get("name", "")
        if "{{" not in cluster and cluster not in clusters:
            deletion = {
                "apiVersion": document["apiVersion"],
                "kind": document["kind"],
                "metadata": {"name": document["metadata"]["name"]},
                "$patch": "delete",
            }
            return {"target": target, "patch": yaml.safe_dump(deletion, sort_keys=False)}
    operations = [{"op": "replace", "path": place, "value": url} for place in _places(document, own_url)]
    if document["kind"] == "ApplicationSet" and (webhook := webhooks.get(cluster)):
        operations.append({"op": "add", "path": "/spec/templatePatch", "value": _webhook_address(webhook)})
    return {"target": target, "patch": yaml.safe_dump(operations, sort_keys=False)} if operations else None


def _webhook_address(webhook: Webhook) -> str:
    """A template that tells the Application of Gatekeeper, and no other, where the webhook is."""
    address = {"service": None, **webhook.client_config}
    target = {"group": WEBHOOK_GROUP, "version": "v1", "kind": WEBHOOK_KIND}
    patch = {
        "apiVersion": f"{target['group']}/{target['version']}",
        "kind": target["kind"],
        "metadata": {"name": WEBHOOK_NAME},
        "webhooks": [{"name": name, "clientConfig": address} for name in WEBHOOKS],
    }
    patches = [{"target": {**target, "name": WEBHOOK_NAME}, "patch": json.dumps(patch)}]
    source = json.dumps({"spec": {"source": {"kustomize": {"patches": patches}}}})
    folder = PurePosixPath(GATEKEEPER).name
    return f'{{{{ if eq .path.basename "{folder}" }}}}{source}{{{{ else }}}}{{}}{{{{ end }}}}'


def _places(node: object, wanted: str, pointer: str = "") -> Iterator[str]:
    """JSON pointers to every string that equals ``wanted``."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            yield from _places(value, wanted, f"{pointer}/{escaped}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _places(value, wanted, f"{pointer}/{index}")
    elif node == wanted:
        yield pointer


def _replaced(node: Any, replacements: Mapping[str, str]) -> Any:
    """The same object with every string that equals one of these replaced."""
    if isinstance(node, dict):
        return {key: _replaced(value, replacements) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, replacements) for value in node]
    return replacements.get(node, node) if isinstance(node, str) else node


def _credentials(authority: Authority, identities: ClusterIdentities) -> dict[str, str]:
    files = {
        "caData": authority.certificate,
        "certData": identities.argocd.certificate,
        "keyData": identities.argocd.key,
    }
    return {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}


def _apply_patiently(kubectl: Kubectl, text: str) -> None:
    """Apply objects whose kinds may be defined by the very same objects, or by those applied just before."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            kubectl.apply(text)
            return
        except ToolError as error:
            # Applying again is harmless: everything that was accepted stays as it is.
            if "no matches for kind" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
