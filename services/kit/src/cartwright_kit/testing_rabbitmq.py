"""A real RabbitMQ for tests, of the run's own: its port, its files, its port mapper, nothing of the machine's."""

import asyncio
import base64
import json
import os
import secrets
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's rabbitmq-server on PATH insists on being root or its user `rabbitmq`; this is what it runs."""
_USER = "test"
_STOP_SECONDS = 20.0


@dataclass(kw_only=True)
class RabbitServer:
    """A RabbitMQ server on loopback, that can be killed and started again on the same data."""

    port: int
    password: str = field(repr=False)
    _api_port: int
    _home: Path
    _environment: dict[str, str] = field(repr=False)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self._home / "log"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        from cartwright_kit.testing import await_server

        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [_PROGRAM],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # its shell and its virtual machine end together
            )
        await_server(self._process, lambda: self._call("GET", "/overview"), log=self.log)

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def create_vhost(self) -> str:
        """A new virtual host: exchanges and queues of one test's own. Returns its name."""
        name = f"test-{secrets.token_hex(8)}"
        self._call("PUT", f"/vhosts/{name}")
        self._call("PUT", f"/permissions/{name}/{_USER}", {"configure": ".*", "write": ".*", "read": ".*"})
        return name

    def drop_vhost(self, name: str) -> None:
        """Remove a virtual host and end its connections."""
        self._call("DELETE", f"/vhosts/{name}")

    def settings(self, vhost: str) -> dict[str, str]:
        """The settings, by field name, of a service that uses this virtual host."""
        return {
            "rabbitmq_host": "127.0.0.1",
            "rabbitmq_port": str(self.port),
            "rabbitmq_user": _USER,
            "rabbitmq_password": self.password,
            "rabbitmq_vhost": vhost,
        }

    def publish(self, vhost: str, exchange: str, routing_key: str, body: str, **properties: object) -> bool:
        """Publish one message. Returns whether a queue took it."""
        answer = self._call(
            "POST",
            f"/exchanges/{vhost}/{quote(exchange, safe='')}/publish",
            {
                "routing_key": routing_key,
                "payload": body,
                "payload_encoding": "string",
                "properties": {"delivery_mode": 2, **properties},
            },
        )
        return bool(answer["routed"])

    def bind_queue(self, vhost: str, exchange: str, queue: str) -> None:
        """A durable queue that gets everything from an exchange; both are made if they are not there."""
        self._call("PUT", f"/exchanges/{vhost}/{exchange}", {"type": "topic", "durable": True})
        self._call("PUT", f"/queues/{vhost}/{queue}", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
        self._call("POST", f"/bindings/{vhost}/e/{exchange}/q/{queue}", {"routing_key": "#"})

    def has_exchange(self, vhost: str, name: str) -> bool:
        """Whether somebody has declared this exchange."""
        return any(one["name"] == name for one in self._call("GET", f"/exchanges/{vhost}"))

    def has_binding(self, vhost: str, exchange: str, queue: str) -> bool:
        """Whether this queue gets events of this exchange."""
        bindings = self._call("GET", f"/bindings/{vhost}")
        return any((one["source"], one["destination"]) == (exchange, queue) for one in bindings)

    def take(self, vhost: str, queue: str) -> list[dict[str, Any]]:
        """Take all ready messages off a queue: `payload`, `properties`, `redelivered`."""
        found: list[dict[str, Any]] = self._call(
            "POST",
            f"/queues/{vhost}/{queue}/get",
            {"count": 1000, "ackmode": "ack_requeue_false", "encoding": "auto"},
        )
        return found

    def _call(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._api_port}/api{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(f"{_USER}:{self.password}".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if number == signal.SIGTERM and process.poll() is None:
                process.terminate()
                process.wait(_STOP_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)


@contextmanager
def start_rabbitmq() -> Iterator[RabbitServer]:
    """A RabbitMQ server until the block ends."""
    from cartwright_kit.testing import free_port

    if not _PROGRAM.exists():
        pytest.fail(
            "rabbitmq-server is not installed: `apt-get install rabbitmq-server`, or deselect with -m 'not services'"
        )
    with tempfile.TemporaryDirectory(prefix="cartwright-rabbitmq-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        port, api_port, password = free_port(), free_port(), secrets.token_hex(16)
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{port}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": str(api_port),
            "management_agent.disable_metrics_collector": "true",
            "log.console": "true",
            "log.file": "false",
            "vm_memory_high_watermark.absolute": "1GiB",
            "disk_free_limit.absolute": "1MB",
            "raft.wal_max_size_bytes": "16777216",
        }
        (home / "rabbitmq.conf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        (home / "enabled_plugins").write_text("[rabbitmq_management].\n")
        environment = {
            "PATH": f"{_PROGRAM.parent}:/usr/bin:/bin",
            "HOME": folder,
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"test-{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_DEFAULT_USER": _USER,
            "RABBITMQ_DEFAULT_PASS": password,
            "RABBITMQ_DIST_PORT": str(free_port()),
            # A port mapper of its own: the machine's, or another run's, is left alone.
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }
        server = RabbitServer(port=port, password=password, _api_port=api_port, _home=home, _environment=environment)
        with _port_mapper(environment):
            try:
                server.start()
                yield server
            finally:
                server.kill()


def unreachable_rabbitmq() -> dict[str, str]:
    """The settings of a service whose RabbitMQ is down."""
    from cartwright_kit.testing import free_port

    return {
        "rabbitmq_host": "127.0.0.1",
        "rabbitmq_port": str(free_port()),
        "rabbitmq_user": _USER,
        "rabbitmq_password": "nobody-asks-for-it",
    }


async def eventually(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait until a condition is true. Raises TimeoutError when that takes too long."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


@contextmanager
def _port_mapper(environment: dict[str, str]) -> Iterator[None]:
    """Where Erlang's nodes on one machine find each other. A node that finds none starts one that outlives it."""
    process = subprocess.Popen(["epmd"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitServer]:
    """A RabbitMQ server of this run's own."""
    with start_rabbitmq() as found:
        yield found


@pytest.fixture
def create_vhost(rabbitmq_server: RabbitServer) -> Iterator[Callable[[], dict[str, str]]]:
    """A function that makes a virtual host and returns a service's settings for it; the test's end removes it."""
    made: list[str] = []

    def create() -> dict[str, str]:
        made.append(rabbitmq_server.create_vhost())
        return rabbitmq_server.settings(made[-1])

    yield create
    for name in made:
        rabbitmq_server.drop_vhost(name)
