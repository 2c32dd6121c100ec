"""What a person sees when `up`, `down` or `status` cannot work: one line, exit code 2, nothing started."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from cartwright.cluster.components import port_names
from cartwright.cluster.processes import own_processes
from cartwright.cluster.state import State
from cartwright.kernel.ports import LOOPBACK, allocate
from tests.cluster.sandbox import Sandbox, make_sandbox

pytestmark = pytest.mark.slow


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return make_sandbox(tmp_path)


def refused(sandbox: Sandbox, *arguments: str) -> str:
    """The one line that the command ends with."""
    done = sandbox.cartwright(*arguments, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert own_processes(sandbox.layout) == []
    return last.removeprefix("error: ")


def test_an_unknown_environment_names_the_nearest(sandbox: Sandbox) -> None:
    assert refused(sandbox, "up", "--env", "stagin") == "no environment 'stagin' (did you mean 'staging'?)"


def test_without_redis_one_line_says_what_to_install(sandbox: Sandbox, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "env", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        sandbox.command("up"),
        cwd=sandbox.repository,
        env={**sandbox.environment, "PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: redis-server is missing (Debian: apt-get install redis-server); "
        "`cartwright doctor` lists all that is missing"
    )


def test_a_taken_port_is_named_before_anything_starts(sandbox: Sandbox) -> None:
    environments = ("dev", "staging", "prod")
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = allocate(port_names(environments), {"kube-apiserver-dev": port})
        State(environments=environments, hub="dev", ports=ports).save(sandbox.layout)
        message = refused(sandbox, "up")
    assert message.startswith(f"port {port} for kube-apiserver-dev is taken by ")
    assert f"(pid {os.getpid()})" in message


def test_a_repository_without_a_commit_says_what_to_do(sandbox: Sandbox) -> None:
    shutil.rmtree(sandbox.repository / ".git")
    sandbox.git("init", "--quiet")
    assert refused(sandbox, "up") == "the repository has no commit yet (`git add --all && git commit` first)"


def test_an_environment_that_cannot_be_read_is_named(sandbox: Sandbox) -> None:
    (sandbox.repository / "environments/dev/environment.yaml").write_text("name: [dev\n")
    sandbox.commit("a broken environment")
    assert refused(sandbox, "up").startswith("environments/dev/environment.yaml:")


def test_outside_a_repository_the_folder_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for command in ("up", "down", "status"):
        done = subprocess.run(
            sandbox.command(command),
            cwd=elsewhere,
            env=sandbox.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {elsewhere}: no argocd/root.yaml here or in a folder above")


def test_status_without_a_cluster_says_how_to_start_it(sandbox: Sandbox) -> None:
    assert refused(sandbox, "status") == "the embedded cluster does not run; `cartwright up` starts it"


def test_an_unknown_format_names_the_nearest(sandbox: Sandbox) -> None:
    assert refused(sandbox, "status", "--format", "jsn") == "no format 'jsn' (did you mean 'json'?)"


def test_a_state_of_a_newer_cartwright_is_refused_and_down_removes_it(sandbox: Sandbox) -> None:
    sandbox.state.mkdir()
    sandbox.layout.state_file.write_text(json.dumps({"version": 99}))
    assert refused(sandbox, "status").endswith("version 99, not 1; `cartwright down` removes it")
    assert sandbox.cartwright("down").returncode == 0
    assert not sandbox.state.exists()


def test_down_without_a_cluster_is_fine(sandbox: Sandbox) -> None:
    done = sandbox.cartwright("down")
    assert (done.returncode, done.stderr) == (0, "")


def test_down_removes_what_up_made_and_leaves_strangers_files_alone(sandbox: Sandbox) -> None:
    layout = sandbox.layout
    for folder in (layout.pki, layout.data, layout.logs, layout.remote):
        folder.mkdir(parents=True)
    layout.kubeconfig("dev").write_text("{}")
    (sandbox.state / "notes.txt").write_text("mine")
    assert sandbox.cartwright("down").returncode == 0
    assert [path.name for path in sandbox.state.iterdir()] == ["notes.txt"]
