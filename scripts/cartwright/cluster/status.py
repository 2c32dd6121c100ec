"""What runs in the embedded cluster: per environment and app, as Argo CD says, against what the remote asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cartwright.cluster.argocd import ROOT_NAME, read_applications
from cartwright.cluster.components import TOOLS
from cartwright.cluster.gitremote import Remote, head_of, uncommitted
from cartwright.cluster.kubectl import Kubectl
from cartwright.cluster.node.lifecycle import REGISTRY
from cartwright.cluster.pods import Pod, read_pods
from cartwright.cluster.processes import Supervisor
from cartwright.cluster.progress import coloured
from cartwright.cluster.state import Layout, State
from cartwright.images.push import holds
from cartwright.kernel.errors import ClusterError
from cartwright.promotion.argo import AppState
from cartwright.registry.reference import Reference, split_reference
from cartwright.tools import require
from cartwright.tree.applications import Application, find_applications
from cartwright.tree.dependencies import load_dependencies
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import Tree, open_tree

__all__ = ["AppReport", "ClusterReport", "read_status"]

_VERSION = 1
_PARTS = 3
"""How many parts of a message a table shows; JSON has all."""
_FOOTNOTE = (
    "Simulated pods are KWOK's, those of Argo CD, Gatekeeper and the Prometheus operator among them: processes on this "
    "machine do their work."
)
_HERE = "Images marked * were built on this machine; the others are those of the registries that their names say."


@dataclass(frozen=True)
class AppReport:
    """One Application."""

    name: str
    """Its name in Argo CD."""
    environment: str
    """Empty for the root."""
    app: str
    """``group/name``, ``cluster``, or ``root``."""
    sync: str
    health: str
    revision: str
    """The commit that Argo CD last compared it with; empty before that."""
    images: tuple[Reference, ...]
    """Images of its live objects."""
    outdated: str
    """Why it is not what the remote's HEAD asks for; empty where it is."""
    message: str
    """Argo CD's own words where it is not well."""
    pods: tuple[Pod, ...] = ()
    """Its pods, those of its Jobs among them."""
    built_here: frozenset[Reference] = frozenset()
    """Those of its images that were built on this machine and come from the local registry."""

    @property
    def pod_kinds(self) -> str:
        """How many of its pods live, by kind, for people."""
        kinds = Counter(pod.kind for pod in self.pods if pod.phase in ("Pending", "Running"))
        return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))

    @property
    def is_good(self) -> bool:
        """Synced, Healthy and at the remote's HEAD."""
        return self.sync == "Synced" and self.health == "Healthy" and not self.outdated


@dataclass(frozen=True)
class ClusterReport:
    """The whole embedded cluster."""

    remote: str
    """URL of the bare remote."""
    commit: str
    """What Argo CD is to bring about."""
    local_commit: str
    """The repository's HEAD."""
    uncommitted: int
    """Files of the work tree that differ from HEAD."""
    stopped: tuple[str, ...]
    """Components that do not run at this moment."""
    applications: tuple[AppReport, ...]
    """Every Application, by environment and name, the root first."""
    pods: tuple[Pod, ...] = ()
    """Every pod of every cluster, real ones first."""

    @property
    def is_good(self) -> bool:
        """Every Application Synced and Healthy, every component running."""
        return not self.stopped and all(application.is_good for application in self.applications)

    def to_json(self) -> dict[str, Any]:
        """The documented shape of ``cartwright status --format json``."""
        return {
            "version": _VERSION,
            "good": self.is_good,
            "remote": {"url": self.remote, "commit": self.commit},
            "repository": {"commit": self.local_commit, "uncommitted": self.uncommitted},
            "stopped": list(self.stopped),
            "applications": [
                {
                    "name": one.name,
                    "environment": one.environment or None,
                    "app": one.app,
                    "sync": one.sync,
                    "health": one.health,
                    "revision": one.revision or None,
                    "images": [
                        {
                            "name": image.name,
                            "tag": image.tag,
                            "digest": image.digest,
                            "built_here": image in one.built_here,
                        }
                        for image in one.images
                    ],
                    "outdated": one.outdated or None,
                    "message": one.message or None,
                }
                for one in self.applications
            ],
            "pods": [pod.to_json() for pod in self.pods],
            "simulated": not any(pod.real for pod in self.pods),
        }

    def to_table(self) -> Group:
        """For people."""
        table = Table("environment", "app", "sync", "health", "revision", "pods", "image", "out of date", box=None)
        last = None
        for one in self.applications:
            table.add_row(
                "" if one.environment == last else one.environment,
                one.app,
                coloured(one.sync),
                coloured(one.health),
                one.revision[:7] or "–",
                one.pod_kinds or "–",
                "\n".join(_short(image) + "*" * (image in one.built_here) for image in one.images) or "–",
                Text(one.outdated, style="yellow"),
            )
            last = one.environment
        messages = [
            Text(f"{one.name}: {_brief(one.message)}") for one in self.applications if one.message and not one.is_good
        ]
        stopped = [Text(f"{name} does not run; supervisord restarts it", style="red") for name in self.stopped]
        here = [_HERE] if any(one.built_here for one in self.applications) else []
        notes = [Text(line, style="dim") for line in (*here, _FOOTNOTE)]
        return Group(table, Text(), *messages, *self._pod_lines(), *stopped, *self._git_lines(), *notes)

    def to_pod_table(self) -> Table:
        """Every pod, for people."""
        table = Table("environment", "namespace", "pod", "", "node", "phase", box=None)
        for pod in self.pods:
            phase = pod.phase if pod.ready or pod.phase != "Running" else "Running, not ready"
            table.add_row(pod.environment, pod.namespace, pod.name, pod.kind, pod.node or "–", pod.problem or phase)
        return table

    def _pod_lines(self) -> list[Text]:
        """What keeps pods from running, in the words of kubelet or the scheduler."""
        lines = {}
        for pod in self.pods:
            if pod.problem and pod.phase in ("Pending", "Running"):
                line = f"{pod.environment} {pod.namespace}/{pod.name}: {pod.problem}"
                lines[line] = Text(f"{pod.place}: {line}" if pod.place else line, style="red")
        return list(lines.values())

    def _git_lines(self) -> list[Text]:
        lines = [f"remote {self.remote} at {self.commit[:7]}"]
        if self.local_commit != self.commit:
            lines.append(
                f"HEAD is {self.local_commit[:7]}: `cartwright up` or `cartwright push` brings it to the remote"
            )
        if self.uncommitted:
            lines.append(f"{self.uncommitted} uncommitted files in the work tree")
        return [Text(line) for line in lines]


def read_status(root: Path, layout: Layout) -> ClusterReport:
    """Ask Argo CD, Git and the supervisor.

    Raises:
        ClusterError: the embedded cluster does not run.
    """
    state = State.of_running(layout)
    supervisor = Supervisor(layout)
    remote = Remote(layout.remote)
    commit = remote.head() if layout.remote.is_dir() else None
    if commit is None or not supervisor.is_running():
        raise ClusterError("the embedded cluster does not run; `cartwright up` starts it")
    kubectl = Kubectl(require(TOOLS)["kubectl"], layout.kubeconfig(state.hub))
    if not kubectl.is_ready():
        raise ClusterError(
            f"the hub's API server does not answer; its log is {layout.logs}/kube-apiserver-{state.hub}.log"
        )
    tree = open_tree(layout.remote, commit)
    expected = [
        one for one in find_applications(tree, load_environments(tree)) if one.environment in state.environments
    ]
    statuses = read_applications(kubectl)
    pods = _read_pods(layout, state, tree, expected)
    registry = layout.data / REGISTRY
    return ClusterReport(
        remote=remote.url,
        commit=commit,
        local_commit=head_of(root),
        uncommitted=uncommitted(root),
        stopped=supervisor.not_running(),
        applications=(
            _report(ROOT_NAME, None, statuses, commit, pods=(), registry=registry),
            *(_report(one.name, one, statuses, commit, pods=pods, registry=registry) for one in expected),
        ),
        pods=tuple(sorted(pods, key=lambda pod: not pod.real)),
    )


def _brief(message: str) -> str:
    """The first things that Argo CD says; of an app that is just coming it names every object.

    >>> _brief("Service a: Missing; Service b: Missing; Service c: Missing; Service d: Missing; Service e: Missing")
    'Service a: Missing; Service b: Missing; Service c: Missing; and 2 more'
    """
    parts = message.split("; ")
    rest = f"; and {len(parts) - _PARTS} more" if len(parts) > _PARTS else ""
    return "; ".join(parts[:_PARTS]) + rest


def _short(image: Reference) -> str:
    """An image for people: the last part of its name, and so much of its digest as tells two of them apart."""
    tag, digest = f":{image.tag}" if image.tag else "", f"@{image.short_digest}" if image.digest else ""
    return f"{image.name.rpartition('/')[2]}{tag}{digest}"


def _read_pods(layout: Layout, state: State, tree: Tree, applications: Sequence[Application]) -> list[Pod]:
    """The pods of every cluster, asked at once."""
    binary = require(TOOLS)["kubectl"]
    dependencies = load_dependencies(tree)

    def read(environment: str) -> tuple[Pod, ...]:
        return read_pods(
            Kubectl(binary, layout.kubeconfig(environment)),
            environment,
            tree=tree,
            applications=[one for one in applications if one.environment == environment],
            dependencies=dependencies,
        )

    with ThreadPoolExecutor(len(state.environments)) as pool:
        return [pod for pods in pool.map(read, state.environments) for pod in pods]


def _report(
    name: str,
    application: Application | None,
    statuses: Mapping[str, AppState],
    commit: str,
    *,
    pods: Sequence[Pod],
    registry: Path,
) -> AppReport:
    status = statuses.get(name)
    images = tuple(map(split_reference, status.images)) if status else ()
    label = application.app if application and "/" in application.app else "cluster" if application else ROOT_NAME
    return AppReport(
        name=name,
        environment=application.environment if application else "",
        app=label,
        sync=status.sync if status else "Missing",
        health=status.health if status else "Missing",
        revision=status.revision if status else "",
        images=images,
        built_here=frozenset(one for one in images if holds(registry, one.name, one.digest or "")),
        outdated=_outdated(status, commit),
        message=status.trouble if status else "",
        pods=tuple(
            pod for pod in pods if application and (pod.environment, pod.app) == (application.environment, label)
        ),
    )


def _outdated(status: AppState | None, commit: str) -> str:
    if status is None:
        return "not generated yet"
    if status.revision != commit:
        return f"remote is at {commit[:7]}"
    return "" if status.sync == "Synced" else "live objects differ from Git"
