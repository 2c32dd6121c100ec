"""A kube-apiserver with etcd and nothing else, asked what its PodSecurity admission says of pods."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cartwright.cluster.blueprint import Plan, service_range
from cartwright.cluster.components import TOOLS, plan_components, port_names
from cartwright.cluster.identities import cluster_identities, shared_identities
from cartwright.cluster.state import Layout
from cartwright.kernel.ports import LOOPBACK, allocate
from cartwright.tools import require

Item = TypeVar("Item")
Result = TypeVar("Result")

NAME = "test"
"""Environment of the plan."""
_READY_SECONDS = 90.0
_CONNECTIONS = 6
LEVEL_LABEL = "pod-security.kubernetes.io/"


@dataclass(frozen=True)
class Answer:
    """What the API server said to one request."""

    status: int
    message: str
    """Of its refusal; empty where it did not refuse."""
    warnings: tuple[str, ...]


class ApiServer:
    """A running API server, spoken to as its administrator, over one connection per thread."""

    def __init__(self, plan: Plan, context: ssl.SSLContext) -> None:
        self.plan = plan
        self._port, self._context = plan.ports[f"kube-apiserver-{NAME}"], context
        self._local = threading.local()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, content: str = "json") -> Answer:
        """One request; ``content`` is the part of the body's media type behind ``application/``."""
        headers = {"Content-Type": f"application/{content}", "Accept": "application/json"}
        data = None if body is None else json.dumps(body)
        known: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        connection = known or self._connect()
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            if known is None:
                raise
            # The server has closed a connection that was idle for long.
            connection = self._connect()
            connection.request(method, path, data, headers)
            response = connection.getresponse()
        self._local.connection = connection
        text = response.read()
        warnings = tuple(json.loads(one.split(" ", 2)[2]) for one in response.headers.get_all("Warning") or ())
        refused = response.status >= http.HTTPStatus.BAD_REQUEST
        message = ""
        if refused:
            message = json.loads(text)["message"] if text.startswith(b"{") else text.decode(errors="replace")
        return Answer(response.status, message, warnings)

    def read(self, path: str) -> dict[str, Any]:
        """What a path holds."""
        connection = self._connect()
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        assert response.status == http.HTTPStatus.OK, (path, text)
        return dict(json.loads(text))

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(LOOPBACK, self._port, context=self._context, timeout=60)

    def create_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """A namespace with the account that pods run under, which a controller would make."""
        for path, made in (
            ("/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels)}}),
            (f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}}),
        ):
            answer = self.ask("POST", path, made)
            assert answer.status == http.HTTPStatus.CREATED, answer

    def enforce(self, namespace: str, level: str) -> None:
        """Change the level of a namespace."""
        labels = {"metadata": {"labels": {f"{LEVEL_LABEL}enforce": level}}}
        answer = self.ask("PATCH", f"/api/v1/namespaces/{namespace}", labels, content="merge-patch+json")
        assert answer.status == http.HTTPStatus.OK, answer

    def map(self, ask: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Ask for many items at once; answers in their order."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(ask, items))


@contextmanager
def running_apiserver(folder: Path, *flags: str) -> Iterator[ApiServer]:
    """The API server of the embedded cluster until the block ends. Further flags replace its own ones of that name."""
    plan = _plan(Layout(folder))
    names = {flag.split("=")[0] for flag in flags}
    components = {one.name: one for one in plan_components(plan)}
    commands = [
        # What the tests store need not survive a loss of power.
        [*components["etcd"].command, "--unsafe-no-fsync"],
        [*(word for word in components[f"kube-apiserver-{NAME}"].command if word.split("=")[0] not in names), *flags],
    ]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        context = ssl.create_default_context(cafile=plan.clusters[NAME].authority.certificate)
        admin = plan.clusters[NAME].clients["admin"]
        context.load_cert_chain(admin.certificate, admin.key)
        server = ApiServer(plan, context)
        _await(server, processes, folder)
        yield server
    finally:
        # Nothing here outlives the test, so nobody waits for an orderly end.
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _plan(layout: Layout) -> Plan:
    for folder in (layout.config, layout.logs, layout.scratch, layout.data, layout.pki):
        folder.mkdir(parents=True, exist_ok=True)
    layout.data.chmod(0o700)
    ports = allocate(port_names((NAME,)), {})
    shared = shared_identities(layout)
    identities = cluster_identities(
        layout,
        cluster=NAME,
        shared=shared,
        port=ports[f"kube-apiserver-{NAME}"],
        service_address=str(service_range(0)[1]),
        hub=True,
    )
    needed = require(("etcd", "gatekeeper", "kube-apiserver", "kubectl"))
    return Plan(
        layout=layout,
        environments=(NAME,),
        hub=NAME,
        ports=ports,
        # The plan speaks of all components; those that are not started need no program.
        tools={name: needed.get(name, Path(name)) for name in (*TOOLS, "redis-server")},
        shared=shared,
        clusters={NAME: identities},
        redis_password="",
        python=sys.executable,
        kwok_config=layout.config / "kwok.yaml",
        git_environment={},
    )


def _await(server: ApiServer, processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        for process in processes:
            if process.poll() is not None:
                name = Path(str(process.args[0])).name  # type: ignore[index]
                raise AssertionError((folder / f"{name}.log").read_text(encoding="utf-8")[-2000:])
        try:
            # A namespace can be made as soon as its own hooks are done.
            if server.ask("GET", "/readyz").status == http.HTTPStatus.OK:
                return
        except (OSError, http.client.HTTPException):
            server._local.connection = None
        assert time.monotonic() < deadline, "the API server does not answer"
        time.sleep(0.1)
