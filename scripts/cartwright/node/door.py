"""Where the shop is reached from this machine."""

from __future__ import annotations

from cartwright.cluster.ports import LOOPBACK
from cartwright.cluster.state import State
from cartwright.errors import ClusterError
from cartwright.node.components import DOOR

__all__ = ["door_url"]


def door_url(state: State) -> str:
    """The gateway's address on this machine.

    Raises:
        ClusterError: every pod is simulated, so nothing would answer.
    """
    if not state.real:
        raise ClusterError(
            "every pod of this cluster is simulated; `cartwright down`, then `cartwright up` as root on Linux"
        )
    return f"http://{LOOPBACK}:{state.ports[DOOR]}"
