"""Free ports on the loopback address, kept from one ``up`` to the next."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Mapping

import psutil

from cartwright.kernel.errors import ClusterError

__all__ = ["LOOPBACK", "allocate", "refuse_taken"]

LOOPBACK = "127.0.0.1"

_RANGE = range(20000, 30000)
"""Below the ports that systems hand out to outgoing connections, so that none of these is taken while a component
restarts, and below Kubernetes' node ports."""


def allocate(names: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    """A port for every name: the known one where there is one, else one that is free now.

    Raises:
        ClusterError: no port is free.
    """
    ports = dict(known)
    used = set(ports.values())
    candidates = iter(random.sample(_RANGE, len(_RANGE)))
    for name in names:
        if name in ports:
            continue
        port = next((port for port in candidates if port not in used and is_free(port)), None)
        if port is None:
            raise ClusterError(f"no free port between {_RANGE.start} and {_RANGE.stop} for {name}")
        ports[name] = port
        used.add(port)
    return ports


def refuse_taken(ports: Mapping[str, int]) -> None:
    """Check that a component that does not run yet will be able to listen.

    Raises:
        ClusterError: a port is taken; names it and, where the system tells, who has it.
    """
    for name, port in ports.items():
        if not is_free(port):
            raise ClusterError(
                f"port {port} for {name} is taken{_holder(port)}; stop that program, "
                "or begin anew on other ports: `cartwright down`, then `cartwright up`"
            )


def is_free(port: int) -> bool:
    """Whether a listener could bind the port on the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            address = tuple(connection.laddr)
            if connection.status == psutil.CONN_LISTEN and address[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # without rights, systems tell only about one's own processes
    return ""
