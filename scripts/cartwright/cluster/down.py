"""``down``: every process of the embedded cluster ends, and what it made on this machine goes."""

from __future__ import annotations

import shutil

from cartwright.cluster.node.layout import NodeLayout
from cartwright.cluster.node.machine import SHIM, clean
from cartwright.cluster.processes import Supervisor, kill_all
from cartwright.cluster.state import Layout, State, exclusive
from cartwright.kernel.errors import ClusterError

__all__ = ["down"]


def down(layout: Layout, *, keep_data: bool) -> list[str]:
    """Stop every process of the cluster and remove its data; returns a line for all that did not go in good order.

    Args:
        layout: where the cluster's files are.
        keep_data: leave what etcd holds, certificates, the bare remote and the choice of ports, so that the next ``up``
            goes on with them.
    """
    if not layout.root.is_dir():
        return []
    with exclusive(layout):
        Supervisor(layout).shut_down()
        node = NodeLayout.of(layout)
        # What holds containers outlives containerd on purpose, so that a restart of it harms none: it ends only here.
        holds = node.before.is_file()
        killed = [process for process in kill_all(layout) if not (holds and process.startswith(SHIM))]
        layout.supervisor_socket.unlink(missing_ok=True)
        lines = [f"killed {process}, which was still running" for process in killed]
        lines += [f"left behind: {problem}" for problem in clean(node)]
        if not keep_data:
            shutil.rmtree(node.root, ignore_errors=True)
        if keep_data:
            _stopped(layout)
        doomed = [layout.scratch] if keep_data else [layout.scratch, *layout.content()]
        for path in doomed:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        if not keep_data and not any(layout.root.iterdir()):
            layout.root.rmdir()
        return lines


def _stopped(layout: Layout) -> None:
    try:
        state = State.load(layout)
    except ClusterError:  # what can't be read now can't be read by the next `up` either
        layout.state_file.unlink()
        return
    if state is not None:
        state.stopped().save(layout)
