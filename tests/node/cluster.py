"""The embedded cluster with its real node, as tests use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.cluster.processes import Supervisor
from cartwright.cluster.state import State
from cartwright.demo.order import Shop, open_shop
from cartwright.kernel.errors import ToolError
from tests.cluster.sandbox import Sandbox, until


@dataclass(frozen=True)
class NodeCluster:
    """A sandbox whose cluster has a real node, and what the machine was like before."""

    sandbox: Sandbox
    before: Mapping[str, frozenset[str]]

    @property
    def shop(self) -> Shop:
        return open_shop(self.sandbox.layout)

    def pods(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """The pods of an app that run or are to run."""
        found = self.sandbox.get("dev", f"--namespace={namespace}", "pods", f"-lapp.kubernetes.io/name={name}")
        return [
            pod
            for pod in found["items"]
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] in ("Pending", "Running")
        ]

    def process(self, name: str) -> int:
        """Process id of a component, as the supervisor has it now; 0 while it has none."""
        record = Supervisor(self.sandbox.layout).processes().get(name)
        return record.pid if record else 0

    def is_stored(self, order: str) -> bool:
        """Whether PostgreSQL has an order, asked again while kubelet or PostgreSQL are just coming back."""

        def ask() -> bool | None:
            try:
                return bool(self.shop.stored(order))
            except ToolError:
                return None

        return bool(until(ask, seconds=60))

    def commit_and_push(self, message: str) -> str:
        """Commit the sandbox's changes on top of what the remote holds, and push them."""
        self.sandbox.git("add", "--all")
        self.sandbox.git("commit", "--quiet", "--message", message)
        self.sandbox.push()
        return self.sandbox.git("rev-parse", "HEAD")

    def healthy(self) -> bool:
        """Whether every Application is Synced and Healthy, every component runs and every pod is ready."""
        done = self.sandbox.cartwright("status", "--format", "json")
        if done.returncode == 2:
            return False
        report = json.loads(done.stdout)
        lasting = [pod for pod in report["pods"] if pod["real"] and pod["phase"] in ("Pending", "Running")]
        return bool(report["good"]) and all(pod["ready"] for pod in lasting)

    def await_healthy(self, seconds: float) -> None:
        """Wait until all is well, without doing anything for it."""
        assert until(self.healthy, seconds=seconds), self.sandbox.cartwright("status", "--pods").stdout

    @property
    def state(self) -> State:
        state = State.load(self.sandbox.layout)
        assert state is not None
        return state
