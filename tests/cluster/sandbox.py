"""A repository of its own for the embedded cluster under test, and what a person would type there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

from cartwright.cluster.state import Layout
from cartwright.tools import require

Answer = TypeVar("Answer")
ROOT = Path(__file__).resolve().parents[2]
_IDENTITY = {
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@localhost",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@localhost",
}


@dataclass(frozen=True)
class Sandbox:
    """A repository of its own and the state folder of the cluster that belongs to it."""

    repository: Path
    state: Path
    real: bool = False
    """Whether its cluster may have a real node."""

    @property
    def layout(self) -> Layout:
        return Layout(self.state)

    @property
    def environment(self) -> dict[str, str]:
        simulated = {} if self.real else {"CARTWRIGHT_SIMULATED": "1"}
        return {**os.environ, **_IDENTITY, **simulated, "CARTWRIGHT_STATE": str(self.state), "COLUMNS": "200"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cartwright", *arguments]

    def cartwright(self, *arguments: str, timeout: float = 420) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.repository,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.repository, env=self.environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        url = self.layout.remote.as_uri()
        if self.real:  # the remote has the digests of this machine's images besides
            self.git("pull", "--quiet", "--rebase", url, "main")
        self.git("push", "--quiet", url, "HEAD:refs/heads/main")

    def kubectl(self, cluster: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        binary = require(["kubectl"])["kubectl"]
        return subprocess.run(
            [binary, f"--kubeconfig={self.layout.kubeconfig(cluster)}", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def get(self, cluster: str, *arguments: str) -> dict[str, Any]:
        done = self.kubectl(cluster, "get", "--output=json", *arguments)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def application(self, name: str) -> dict[str, Any]:
        return self.get("dev", "--namespace=argocd", "applications.argoproj.io", name)

    def status(self) -> dict[str, Any]:
        done = self.cartwright("status", "--format", "json")
        assert done.returncode in (0, 1), done.stderr
        return dict(json.loads(done.stdout))

    def processes(self) -> dict[str, int]:
        state = json.loads(self.layout.state_file.read_text(encoding="utf-8"))
        return {name: record["pid"] for name, record in state["processes"].items()}

    def ports(self) -> dict[str, int]:
        """Port of every listener."""
        return dict(json.loads(self.layout.state_file.read_text(encoding="utf-8"))["ports"])


def make_sandbox(folder: Path, *, real: bool = False) -> Sandbox:
    """A commit of the work tree as it is, ignored files left out."""
    repository = folder / "repository"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, repository / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    sandbox = Sandbox(repository=repository, state=folder / "state", real=real)
    sandbox.git("init", "--quiet", "--initial-branch=main")
    sandbox.commit("the work tree as it is")
    return sandbox


def loosen_gates(sandbox: Sandbox, environment: str, *, soak: str) -> None:
    """Commit gates that a test can wait for, and the approval of them: another soak, no freeze, nobody to ask."""
    file = sandbox.repository / "environments" / environment / "environment.yaml"
    content = YAML(typ="safe").load(file)
    assert content["gates"]["health"] is True
    content["gates"].update(soak=soak, freezes=[], approvals=0)
    file.write_text(json.dumps(content), encoding="utf-8")
    sandbox.commit(f"{environment}: gates that a test can wait for")
    done = sandbox.cartwright("promote", "approve-gates", "--env", environment, "--reason", "a test")
    assert done.returncode == 0, done.stdout + done.stderr


def until(question: Callable[[], Answer], *, seconds: float) -> Answer:
    """Ask until the answer is true; the last answer, true or not."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer
