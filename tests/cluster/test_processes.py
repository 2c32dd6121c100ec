"""A real supervisord with harmless components."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault

import psutil
import pytest
from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults

from cartwright.cluster import processes
from cartwright.cluster.blueprint import Component, Phase
from cartwright.cluster.processes import MARKER, Supervisor, kill_all, own_processes
from cartwright.cluster.state import Layout, ProcessRecord, State
from cartwright.kernel.errors import ClusterError
from tests.cluster.sandbox import until

pytestmark = pytest.mark.slow

AWKWARD = "a b\"c'd%e,f;g=h\\i"
"""Everything that a configuration file could trip over."""


def component(name: str, code: str, **variables: str) -> Component:
    return Component(name=name, phase=Phase.STORES, command=(sys.executable, "-c", code), environment=variables)


SLEEPER = component("sleeper", "import time; time.sleep(600)")


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout(tmp_path / "state")
    layout.root.mkdir()
    yield layout
    Supervisor(layout).shut_down()
    kill_all(layout)


def launched(layout: Layout, *components: Component) -> Supervisor:
    supervisor = Supervisor(layout)
    supervisor.launch(components, path=os.environ["PATH"])
    supervisor.start([one.name for one in components])
    return supervisor


def pid_of(supervisor: Supervisor, name: str) -> int | None:
    record = supervisor.processes().get(name)
    return record.pid if record else None


@pytest.mark.parametrize("variable", ["a 'b%c,d;e=f\\g", 'a "b%c,d;e=f\\g', ""], ids=["single", "double", "empty"])
def test_words_and_variables_arrive_as_they_were(layout: Layout, variable: str) -> None:
    code = "import os, sys, time; print(sys.argv[1:], [os.environ['AWKWARD']], flush=True); time.sleep(600)"
    odd = Component(
        name="odd",
        phase=Phase.STORES,
        command=(sys.executable, "-c", code, AWKWARD, "", "--flag=x y"),
        environment={"AWKWARD": variable, "NEXT": "1"},
    )
    launched(layout, odd)
    log = layout.logs / "odd.log"
    expected = f"{[AWKWARD, '', '--flag=x y']} {[variable]}\n"
    assert until(lambda: log.is_file() and log.read_text(), seconds=10) == expected


def test_a_password_is_on_no_command_line_and_in_no_file_that_others_can_read(layout: Layout) -> None:
    launched(layout, component("sleeper", "import time; time.sleep(600)", PASSWORD="hunter2"))
    assert "hunter2" in layout.supervisor_config.read_text()
    assert layout.supervisor_config.stat().st_mode & 0o077 == 0
    assert until(lambda: len(own_processes(layout)) == 2, seconds=10)
    assert not any("hunter2" in word for process in own_processes(layout) for word in process.cmdline())


def test_variables_of_the_persons_shell_do_not_leak_in(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/somewhere/else")
    supervisor = launched(layout, SLEEPER)
    pid = until(lambda: pid_of(supervisor, "sleeper"), seconds=10)
    assert pid
    process = psutil.Process(pid)
    # Until it has become the component, it is a copy of the supervisor.
    assert until(lambda: process.environ().get(MARKER) == str(layout.root), seconds=10)
    assert "KUBECONFIG" not in process.environ()


def test_a_killed_component_is_started_again(layout: Layout) -> None:
    supervisor = launched(layout, SLEEPER)
    first = until(lambda: pid_of(supervisor, "sleeper"), seconds=10)
    assert first
    os.kill(first, signal.SIGKILL)
    second = until(lambda: pid != first and pid if (pid := pid_of(supervisor, "sleeper")) else None, seconds=10)
    assert second
    assert second != first


def test_a_component_that_cannot_start_is_named_with_the_end_of_its_log(layout: Layout) -> None:
    broken = component("broken", "import sys; sys.exit('listen tcp 127.0.0.1:4: bind: address already in use')")
    supervisor = launched(layout, broken)

    def gives_up() -> str:
        try:
            supervisor.refuse_failed(["broken"])
        except ClusterError as error:
            return str(error)
        return ""

    message = until(gives_up, seconds=90)
    assert message.startswith("broken does not start:\n")
    assert "bind: address already in use" in message
    assert str(layout.logs / "broken.log") in message


def test_a_component_that_ends_while_supervisord_answers_is_left_to_its_further_attempts(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = launched(layout, SLEEPER)

    class Proxy:
        """Refuses each start as supervisord does where the process has ended within the call."""

        def __init__(self, *_: object, **__: object) -> None:
            self.supervisor = self

        def getAllProcessInfo(self) -> list[dict[str, object]]:
            return [{"name": "sleeper", "state": ProcessStates.STOPPED}]

        def startProcess(self, name: str, _: bool) -> None:
            raise Fault(Faults.SPAWN_ERROR, f"SPAWN_ERROR: {name}")

    with monkeypatch.context() as patch:
        patch.setattr(processes, "ServerProxy", Proxy)
        assert supervisor.start(["sleeper"]) == ["sleeper"]


def test_launching_again_leaves_what_runs_alone_and_replaces_what_changed(layout: Layout) -> None:
    changing = component("changing", "import time; time.sleep(600)")
    supervisor = launched(layout, SLEEPER, changing)
    assert until(lambda: len(supervisor.processes()) == 3, seconds=10)
    before = supervisor.processes()
    supervisor.launch([SLEEPER, changing], path=os.environ["PATH"])
    assert supervisor.processes() == before
    supervisor.launch([SLEEPER, component("changing", "import time; time.sleep(601)")], path=os.environ["PATH"])
    assert until(lambda: pid_of(supervisor, "changing") not in (None, before["changing"].pid), seconds=10)
    assert supervisor.processes()["sleeper"] == before["sleeper"]


def test_processes_of_a_killed_supervisor_are_found_with_their_children_and_strangers_are_spared(
    layout: Layout,
) -> None:
    parent = component(
        "parent", "import subprocess, time; subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(600)"
    )
    supervisor = launched(layout, parent)
    stranger = subprocess.Popen(["sleep", "600"], env={**os.environ, MARKER: str(layout.root) + "-other"})
    try:
        assert until(lambda: "sleep" in [process.name() for process in own_processes(layout)], seconds=10)
        os.kill(supervisor.processes()["supervisord"].pid, signal.SIGKILL)
        assert until(lambda: not supervisor.is_running(), seconds=10)
        killed = kill_all(layout)
        assert len([line for line in killed if line.startswith("sleep (")]) == 1
        assert own_processes(layout) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_recorded_process_counts_by_its_start_time_and_not_by_its_id_alone(layout: Layout) -> None:
    with subprocess.Popen(["sleep", "600"]) as unmarked:
        started = psutil.Process(unmarked.pid).create_time()
        for recorded, expected in ((started, [unmarked.pid]), (started - 1, [])):
            State(processes={"x": ProcessRecord(pid=unmarked.pid, started=recorded)}).save(layout)
            assert [process.pid for process in own_processes(layout)] == expected
        unmarked.kill()


def test_shutting_down_ends_everything_and_may_be_repeated(layout: Layout) -> None:
    supervisor = launched(layout, SLEEPER)
    supervisor.shut_down()
    assert own_processes(layout) == []
    assert not supervisor.is_running()
    supervisor.shut_down()
