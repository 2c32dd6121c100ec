"""KWOK's configuration: how simulated nodes, pods and volumes come to life, and what they seem to use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from cartwright.cluster.node.objects import ADDRESS, HELPER_LABEL
from cartwright.cluster.state import Layout
from cartwright.tools import asset

__all__ = ["kwok_configuration", "shipped_objects", "write_configuration"]

_API = "kwok.x-k8s.io/v1alpha1"
_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast")
"""Those of KWOK's own that are used here."""
_USAGE: dict[str, Any] = {
    "apiVersion": _API,
    "kind": "ClusterResourceUsage",
    "metadata": {"name": "idle"},
    # Well below every autoscaler's target: a simulated shop has no customers.
    "spec": {"usages": [{"usage": {"cpu": {"value": "5m"}, "memory": {"value": "32Mi"}}}]},
}
_STAYS = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
_NOT_READY = {
    "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
    "operator": "NotIn",
    "values": ["True"],
}

# While nobody renews a node's lease (after a crash, or between `down --keep-data` and the next `up`), the node
# lifecycle controller takes readiness from its pods. A kubelet reports them ready again; the stage that KWOK ships
# looks at pending pods alone and would leave them so for ever. It is no model either: it hands out an address, and
# after a restart of KWOK that is another one, which the API server refuses to add to the first.
_READY_AGAIN = """\
conditions:
  - {type: Ready, status: "True", lastTransitionTime: {{ Now | Quote }}}
  - {type: ContainersReady, status: "True", lastTransitionTime: {{ Now | Quote }}}
"""

# As KWOK's own for pods, but for the address: it is the one that the process listens on.
_PROCESS = (
    f'{{{{ $address := index .metadata.annotations "{ADDRESS}" }}}}'
    + """
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
podIP: {{ $address | Quote }}
podIPs:
  - ip: {{ $address | Quote }}
conditions:
  - {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
  - {type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }}}
  - {type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
  - name: {{ .name | Quote }}
    image: {{ .image | Quote }}
    ready: true
    restartCount: 0
    state:
      running:
        startedAt: {{ $now | Quote }}
{{ end }}
"""
)


def kwok_configuration() -> str:
    """The stages and metrics that KWOK ships in its own module, and those that are missing there."""
    stages = asset("kwok", "kustomize/stage")
    metrics = asset("kwok", "kustomize/metrics")
    documents: list[dict[str, Any]] = []
    for folder in [*(stages / stage for stage in _STAGES), metrics / "resource"]:
        documents += [document for document in _documents(folder) if document.get("apiVersion") == _API]
    documents += [
        _pod_stage(
            "pod-ready-again",
            _READY_AGAIN,
            matchExpressions=[_STAYS, {"key": ".status.phase", "operator": "In", "values": ["Running"]}, _NOT_READY],
        ),
        # A volume of a simulated pod needs no folder: the pod that would make one is done at once.
        _pod_stage(
            "volume-helper",
            "phase: Succeeded\n",
            matchLabels={HELPER_LABEL: "true"},
            matchExpressions=[{"key": ".status.phase", "operator": "NotIn", "values": ["Succeeded"]}],
        ),
        _pod_stage(
            "process",
            _PROCESS,
            weight=1,  # before the one that makes all other pods ready
            matchExpressions=[
                {"key": f'.metadata.annotations["{ADDRESS}"]', "operator": "Exists"},
                _STAYS,
                _NOT_READY,
            ],
        ),
        _USAGE,
    ]
    return yaml.safe_dump_all(documents, sort_keys=False)


def write_configuration(layout: Layout) -> Path:
    """Write it; its file is named by its content: another one is another command line, which restarts KWOK."""
    text = kwok_configuration()
    file = layout.config / f"kwok-{hashlib.sha256(text.encode()).hexdigest()[:12]}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def shipped_objects(*, simulated_volumes: bool) -> list[dict[str, Any]]:
    """What KWOK wants applied to a cluster: its rights, and its storage class.

    Args:
        simulated_volumes: whether that class is there; a cluster with a real node has one of its own.
    """
    stages = asset("kwok", "kustomize/stage")
    rights = [*_documents(asset("kwok", "kustomize/rbac")), *_documents(stages / "volume" / "rbac")]
    classes = [one for one in _documents(stages / "volume" / "fast") if one.get("kind") == "StorageClass"]
    return [
        *(document for document in rights if document.get("kind") != "Kustomization"),
        *(classes if simulated_volumes else ()),
    ]


def _pod_stage(name: str, template: str, *, weight: int | None = None, **selector: Any) -> dict[str, Any]:
    """A stage for pods: which ones, and what becomes of their status."""
    return {
        "apiVersion": _API,
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": selector,
            **({} if weight is None else {"weight": weight}),
            "next": {"statusTemplate": template},
        },
    }


def _documents(folder: Path) -> list[dict[str, Any]]:
    return [
        document
        for file in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if document
    ]
