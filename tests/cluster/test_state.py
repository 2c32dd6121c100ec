"""The state file, and the lock that keeps two `up` apart."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cartwright.cluster.state import Layout, ProcessRecord, State, exclusive
from cartwright.kernel.errors import ClusterError


def test_a_saved_state_is_loaded_as_it_was(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    state = State(
        environments=("dev", "prod"),
        hub="dev",
        ports={"etcd": 20001},
        processes={"etcd": ProcessRecord(pid=7, started=1.5)},
        versions={"etcd": "v3.7.3"},
    )
    state.save(layout)
    assert State.load(layout) == state


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    assert State.load(Layout(tmp_path)) is None


def test_a_stopped_cluster_keeps_its_ports_and_does_not_run(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    running = State(environments=("dev",), hub="dev", ports={"etcd": 20001}, versions={"etcd": "v3.7.3"}, real=True)
    running.save(layout)
    assert State.of_running(layout) == running
    running.stopped().save(layout)
    assert State.load(layout) == State(ports={"etcd": 20001})
    with pytest.raises(ClusterError, match=r"^the embedded cluster does not run; `cartwright up` starts it$"):
        State.of_running(layout)


def test_where_nothing_was_started_no_cluster_runs(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^the embedded cluster does not run; `cartwright up` starts it$"):
        State.of_running(Layout(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "environments": 3, "hub": ""}'])
def test_a_state_that_cannot_be_read_says_how_to_go_on(tmp_path: Path, text: str) -> None:
    layout = Layout(tmp_path)
    layout.state_file.write_text(text)
    expected = rf"^{re.escape(str(layout.state_file))}: can't be read \(.*\); `cartwright down` removes it$"
    with pytest.raises(ClusterError, match=expected):
        State.load(layout)


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state_file.write_text('{"version": 99}')
    with pytest.raises(ClusterError, match=r"version 99, not 1; `cartwright down` removes it$"):
        State.load(layout)


def test_a_second_up_at_the_same_time_is_refused_and_names_the_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with (
        exclusive(layout),
        pytest.raises(
            ClusterError, match=rf"^another `cartwright up`, `down` or `push` \(pid {os.getpid()}\) is working on "
        ),
        exclusive(layout),
    ):
        pass
    with exclusive(layout):
        pass  # the first one is over


def test_the_control_socket_fits_into_a_socket_address_wherever_the_state_is(tmp_path: Path) -> None:
    assert Layout(Path("/short")).supervisor_socket == Path("/short/supervisor.sock")
    deep = Layout(tmp_path / ("x" * 120))
    assert len(str(deep.supervisor_socket)) < 100
    assert deep.supervisor_socket != Layout(tmp_path / ("y" * 120)).supervisor_socket
