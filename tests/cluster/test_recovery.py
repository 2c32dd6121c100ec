"""Kills at any moment, and what the next command makes of them. Needs a cluster of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from cartwright.cluster.processes import MARKER, own_processes
from tests.cluster.sandbox import Sandbox, make_sandbox, until

pytestmark = pytest.mark.cluster


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which nothing runs yet."""
    sandbox = make_sandbox(tmp_path_factory.mktemp("small"))
    try:
        yield sandbox
    finally:
        sandbox.cartwright("down")


def names_of(sandbox: Sandbox) -> list[str]:
    """Program names of what runs, one entry per process."""
    found = []
    for process in own_processes(sandbox.layout):
        try:
            found.append(process.name())
        except psutil.NoSuchProcess:
            continue
    return found


def test_killed_up_and_killed_supervisor_are_recovered_and_down_leaves_nothing(small: Sandbox) -> None:
    # Killed while the API server comes up.
    up = subprocess.Popen(
        small.command("up", "--env", "dev"),
        cwd=small.repository,
        env=small.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert until(lambda: "kube-apiserver" in names_of(small), seconds=60)
    up.send_signal(signal.SIGKILL)
    up.wait()
    done = small.cartwright("up", "--env", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert names_of(small).count("kube-apiserver") == 1

    # The supervisor itself is killed: its children live on without one, and the next `up` replaces them.
    os.kill(small.processes()["supervisord"], signal.SIGKILL)
    assert "kube-apiserver" in names_of(small)
    assert small.cartwright("status").returncode == 2
    done = small.cartwright("up", "--env", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left over from an earlier run" in done.stderr
    assert names_of(small).count("kube-apiserver") == 1

    # `--keep-data` keeps what etcd holds.
    uid = small.get("dev", "namespace", "kube-system")["metadata"]["uid"]
    ports = small.ports()
    assert small.cartwright("down", "--keep-data").returncode == 0
    assert names_of(small) == []
    assert small.cartwright("status").returncode == 2
    done = small.cartwright("up", "--env", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert small.get("dev", "namespace", "kube-system")["metadata"]["uid"] == uid
    # Objects in etcd name them: Gatekeeper's webhook does.
    assert small.ports() == ports

    # `down` after a crash of the supervisor: no process, no data, and a stranger's process untouched.
    stranger = subprocess.Popen(["sleep", "300"], env={**os.environ, MARKER: str(small.state.with_name("other"))})
    try:
        os.kill(small.processes()["supervisord"], signal.SIGKILL)
        done = small.cartwright("down")
        assert done.returncode == 0, done.stdout + done.stderr
        assert names_of(small) == []
        assert not small.state.exists()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_commands_without_a_cluster_say_so_in_one_line(small: Sandbox) -> None:
    done = small.cartwright("status")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the embedded cluster does not run; `cartwright up` starts it\n"
    assert small.cartwright("down").returncode == 0
