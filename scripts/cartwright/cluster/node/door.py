"""Where the shop is reached from this machine."""

from __future__ import annotations

from cartwright.cluster.node.nodeplan import DOOR
from cartwright.cluster.state import State
from cartwright.kernel.errors import ClusterError
from cartwright.kernel.ports import LOOPBACK

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
