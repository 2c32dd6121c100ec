"""Ports: free, kept, and a clear word where one is taken."""

from __future__ import annotations

import os
import socket

import pytest

from cartwright.kernel.errors import ClusterError
from cartwright.kernel.ports import LOOPBACK, allocate, is_free, refuse_taken


def test_every_name_gets_a_free_port_of_its_own() -> None:
    ports = allocate(["etcd", "redis", "kwok-dev"], {})
    assert list(ports) == ["etcd", "redis", "kwok-dev"]
    assert len(set(ports.values())) == 3
    assert all(is_free(port) for port in ports.values())


def test_known_ports_are_kept() -> None:
    first = allocate(["etcd", "redis"], {})
    assert allocate(["etcd", "redis", "kwok-dev"], first).items() >= first.items()


def test_a_taken_port_names_itself_who_has_it_and_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError) as caught:
            refuse_taken({"kube-apiserver-dev": port})
    message = str(caught.value)
    assert message.startswith(f"port {port} for kube-apiserver-dev is taken by ")
    assert f"(pid {os.getpid()})" in message
    assert message.endswith("`cartwright down`, then `cartwright up`")
    assert "\n" not in message
