"""The running embedded cluster as a place to deliver to: its Git remote, and the registry that its node pulls from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cartwright.cluster.gitremote import BRANCH
from cartwright.cluster.node.lifecycle import REGISTRY
from cartwright.cluster.state import Layout, State
from cartwright.kernel.errors import ClusterError
from cartwright.kernel.paths import state_dir
from cartwright.kernel.ports import LOOPBACK

__all__ = ["Embedded", "find_embedded"]


@dataclass(frozen=True)
class Embedded:
    """Where a release goes that is for this machine alone."""

    remote: Path
    """The bare repository that Argo CD syncs from."""
    branch: str
    """The branch that it follows."""
    registry: str
    """``host:port`` of the registry that stands for all others there."""


def find_embedded(root: Path) -> Embedded:
    """The embedded cluster of a repository.

    Raises:
        ClusterError: it does not run, or its pods are simulated, so that no image is pulled.
    """
    layout = Layout(state_dir(root).resolve())
    state = State.of_running(layout)
    if not state.real:
        raise ClusterError("every pod of the embedded cluster is simulated: it has no registry of its own")
    return Embedded(remote=layout.remote, branch=BRANCH, registry=f"{LOOPBACK}:{state.ports[REGISTRY]}")
