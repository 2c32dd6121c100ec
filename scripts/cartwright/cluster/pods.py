"""Pods as `status` tells of them: real or simulated, and why one does not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cartwright.cluster.kubectl import Kubectl
from cartwright.cluster.node.layout import NAME
from cartwright.history.releasetree import pins_file
from cartwright.kernel.errors import UserError
from cartwright.registry.reference import split_reference
from cartwright.tree.applications import Application
from cartwright.tree.dependencies import DependencyMap
from cartwright.tree.repository import Tree
from cartwright.yaml.read import line_of, nodes

__all__ = ["Pod", "read_pods"]

_NAME_LABEL = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Pod:
    """One pod of one cluster."""

    environment: str
    namespace: str
    name: str
    app: str
    """``group/name`` of the app that it belongs to; empty for one that no app of this repository owns."""
    node: str
    """Empty while it has none."""
    real: bool
    """Whether it is containers on this machine; simulated otherwise."""
    phase: str
    """Pending, Running, Succeeded, Failed or Unknown."""
    ready: bool
    problem: str = ""
    """What kubelet or the scheduler says where it does not come up, with reason."""
    place: str = ""
    """``file:line`` that names the image, where the problem is one with an image."""

    @property
    def kind(self) -> str:
        """For people."""
        return "real" if self.real else "simulated"

    def to_json(self) -> dict[str, Any]:
        """Its part of ``cartwright status --format json``."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "app": self.app or None,
            "environment": self.environment,
            "node": self.node or None,
            "real": self.real,
            "phase": self.phase,
            "ready": self.ready,
            "problem": self.problem or None,
            "place": self.place or None,
        }


def read_pods(
    kubectl: Kubectl,
    environment: str,
    *,
    tree: Tree,
    applications: Sequence[Application],
    dependencies: DependencyMap,
) -> tuple[Pod, ...]:
    """Every pod of one cluster, by namespace and name.

    Args:
        kubectl: of that cluster.
        environment: whose cluster it is.
        tree: what Argo CD is to bring about; it pins the images.
        applications: those of that environment.
        dependencies: the map, which says which pods an app has.

    Raises:
        ToolError: the API server does not answer.
    """
    owners = {(app.namespace, label): app.key for app in dependencies.apps.values() for label in app.pods}
    pinning = {application.app: pins_file(tree, application.path) or "" for application in applications}
    found = kubectl.items("pods", "--all-namespaces")
    pods = [_pod(item, environment, owners=owners, pinning=pinning, tree=tree) for item in found]
    return tuple(sorted(pods, key=lambda pod: (pod.namespace, pod.name)))


def _pod(
    item: Mapping[str, Any],
    environment: str,
    *,
    owners: Mapping[tuple[str, str], str],
    pinning: Mapping[str, str],
    tree: Tree,
) -> Pod:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    namespace = metadata["namespace"]
    app = owners.get((namespace, metadata.get("labels", {}).get(_NAME_LABEL, "")), "")
    problem, image = _problem(status, spec)
    return Pod(
        environment=environment,
        namespace=namespace,
        name=metadata["name"],
        app=app,
        node=spec.get("nodeName", ""),
        real=spec.get("nodeName") == NAME,
        phase=status.get("phase", "Unknown"),
        ready=any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ())),
        problem=problem,
        place=_place(tree, pinning.get(app, ""), image) if image else "",
    )


def _problem(status: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, str]:
    """What keeps a pod from running, and the image that is to blame."""
    if status.get("phase") == "Failed" and status.get("reason"):
        # Of the pod as a whole: evicted, or past its deadline.
        return _words(status["reason"], status.get("message", "")), ""
    images = {one["name"]: one["image"] for one in (*spec.get("initContainers", ()), *spec["containers"])}
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = one.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            about_image = "Image" in waiting["reason"]
            ended = one.get("lastState", {}).get("terminated", {})
            message = waiting.get("message") or ended.get("message") or ""
            return _words(waiting["reason"], message), images[one["name"]] if about_image else ""
        ended = one.get("state", {}).get("terminated")
        if ended and ended.get("exitCode"):
            return _words(ended.get("reason", "Error"), ended.get("message") or f"exit code {ended['exitCode']}"), ""
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _words(condition.get("reason", ""), condition.get("message", "")), ""
    if status.get("phase") == "Failed":
        return _words("Failed", status.get("message", "")), ""
    return "", ""


def _words(reason: str, message: str) -> str:
    return ": ".join(part for part in (reason, " ".join(message.split())) if part)


def _place(tree: Tree, file: str, image: str) -> str:
    """Where a kustomization pins an image: the line of its entry under ``images``."""
    if not file:
        return ""
    name = split_reference(image).name
    try:
        (document,) = list(nodes(tree.text(file), file))
    except (UserError, ValueError, OSError):
        return file
    for path in _entries(document, name):
        line, _ = line_of(document, path)
        return f"{file}:{line}"
    return file


def _entries(document: Any, name: str) -> Iterator[list[str | int]]:
    for key in ("newName", "name"):
        path: list[str | int] = ["images", f"{key}={name}"]
        if line_of(document, path)[1] == len(path):
            yield path
