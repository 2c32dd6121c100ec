"""Test fixtures, a pytest plugin: a real PostgreSQL, Redis and RabbitMQ, private to the test run.

`postgres`, `redis_server` and `rabbitmq_server` (testing_rabbitmq.py) start when the first test asks for them and end
with the run. A test that uses one, directly or through another fixture, gets the marker `services`.

Nothing heavy is imported at the top: pytest loads this module for every test of the repository.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx
    import psycopg
    from fastapi import FastAPI

    from cartwright_kit.settings import DatabaseSettings

pytest_plugins = ["cartwright_kit.testing_rabbitmq"]
_START_SECONDS = 90.0


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs a server."""
    for item in items:
        if {"postgres", "rabbitmq_server", "redis_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("services")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "services: needs PostgreSQL, Redis and RabbitMQ on this machine")


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A running PostgreSQL server, on loopback."""

    port: int
    user: str
    password: str = field(repr=False)
    _templates: dict[str, str] = field(default_factory=dict, repr=False)

    def create_database(self, *, template: str = "template0") -> str:
        """A new database, a copy of the template. Returns its name."""
        name = f"test_{secrets.token_hex(8)}"
        with self._admin() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def create_migrated_database(self, package: str) -> str:
        """A new database with the package's migrations applied; they run once, further ones are copies."""
        if package not in self._templates:
            from alembic import command

            from cartwright_kit.migrations import run_alembic
            from cartwright_kit.settings import DatabaseSettings

            name = self.create_database()
            settings = DatabaseSettings(**self.settings(name))  # type: ignore[arg-type]
            run_alembic(package, settings, lambda config: command.upgrade(config, "head"))
            self._templates[package] = name
        return self.create_database(template=self._templates[package])

    def drop_database(self, name: str) -> None:
        """Remove a database, ending its sessions."""
        with self._admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def settings(self, database: str) -> dict[str, str]:
        """The settings, by field name, of a service that uses this database; upper-case they are its environment."""
        return {
            "database_host": "127.0.0.1",
            "database_port": str(self.port),
            "database_name": database,
            "database_user": self.user,
            "database_password": self.password,
        }

    def _admin(self) -> "psycopg.Connection[tuple[object, ...]]":
        import psycopg

        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            dbname="postgres",
            autocommit=True,
        )


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """A running Redis server, on loopback."""

    port: int
    password: str = field(repr=False)

    def settings(self) -> dict[str, str]:
        """The settings, by field name, of a service that uses this server."""
        return {"redis_host": "127.0.0.1", "redis_port": str(self.port), "redis_password": self.password}

    def command(self, *words: str) -> int:
        """Send one command whose answer is a number, and return it."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection, connection.makefile("rb") as answers:
            connection.sendall(f"AUTH {self.password}\r\n{' '.join(words)}\r\n".encode())
            answers.readline()
            answer = answers.readline().decode().strip()
        if not answer.startswith((":", "+OK")):
            raise ValueError(f"{words[0]}: {answer}")
        return int(answer.removeprefix(":")) if answer.startswith(":") else 0

    def flush(self) -> None:
        """Forget everything, so that a test begins with an empty server."""
        self.command("FLUSHALL")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this run's own, without durability, removed at the end."""
    initdb, server = (_postgres_program(name) for name in ("initdb", "postgres"))
    # Not under pytest's own folder: that is private to root, and PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="cartwright-postgres-", ignore_cleanup_errors=True) as home:
        folder = Path(home)
        password = secrets.token_hex(16)
        (folder / "password").write_text(password)
        account: str | None = None
        if os.geteuid() == 0:
            account = _unprivileged_account()
            shutil.chown(folder, account)
            shutil.chown(folder / "password", account)
        data = folder / "data"
        subprocess.run(
            [
                initdb,
                f"--pgdata={data}",
                "--username=cartwright",
                f"--pwfile={folder / 'password'}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            user=account,
            group=account and pwd.getpwnam(account).pw_gid,
            extra_groups=[] if account else None,
            cwd=folder,
            timeout=120,
        )
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "timezone": "UTC",
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    server,
                    "-D",
                    str(data),
                    *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                user=account,
                group=account and pwd.getpwnam(account).pw_gid,
                extra_groups=[] if account else None,
                cwd=folder,
            )
        found = PostgresServer(port=port, user="cartwright", password=password)
        try:
            await_server(process, lambda: found._admin().close(), log=folder / "log")
            yield found
        finally:
            process.terminate()  # SIGTERM waits for sessions to end; a leaked one must not hang the run
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.send_signal(3)  # SIGQUIT: at once
                process.wait(10)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server of this run's own, in memory only."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("redis-server is not installed: `apt-get install redis-server`, or deselect with -m 'not services'")
    port, password = free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="cartwright-redis-") as home:
        log = Path(home) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    program,
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    str(port),
                    "--dir",
                    home,
                    "--save",
                    "",
                    "--requirepass",
                    password,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        found = RedisServer(port=port, password=password)

        def connect() -> None:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"AUTH " + password.encode() + b"\r\n")
                if not connection.recv(16).startswith(b"+OK"):
                    raise ConnectionError("redis-server does not answer yet")

        try:
            await_server(process, connect, log=log)
            yield found
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def create_database(postgres: PostgresServer) -> Iterator[Callable[[str], dict[str, str]]]:
    """A function that makes a migrated database for a package and returns its settings by field name.

    Each call makes another database and the test's end drops it, so tests may commit and never meet.
    """
    made: list[str] = []

    def create(package: str) -> dict[str, str]:
        made.append(postgres.create_migrated_database(package))
        return postgres.settings(made[-1])

    yield create
    for name in made:
        postgres.drop_database(name)


@pytest.fixture
def empty_database(postgres: PostgresServer) -> "Iterator[DatabaseSettings]":
    """A database without tables, for tests of migrations."""
    from cartwright_kit.settings import DatabaseSettings

    name = postgres.create_database()
    yield DatabaseSettings(**postgres.settings(name))  # type: ignore[arg-type]
    postgres.drop_database(name)


@contextlib.asynccontextmanager
async def client_of(app: "FastAPI", *, headers: Mapping[str, str] | None = None) -> "AsyncIterator[httpx.AsyncClient]":
    """A client of the application, in process, within its lifespan."""
    import httpx

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://service.test", headers=dict(headers or {})
        ) as client,
    ):
        yield client


@dataclass(frozen=True, kw_only=True)
class ServiceProcess:
    """A service that runs as a process of its own, on loopback."""

    port: int
    log: Path
    """What it wrote to stdout and stderr."""
    _process: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return self._process.wait(_START_SECONDS)

    def accepts(self) -> bool:
        """Whether it accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; an error counts as no. Raises RuntimeError with the log when it takes too long."""

        def check() -> None:
            if not condition():
                raise TimeoutError("the condition did not come about")

        await_server(self._process, check, log=self.log)


@contextlib.contextmanager
def start_service(command: list[str], environment: Mapping[str, str], *, log: Path) -> Iterator[ServiceProcess]:
    """Run a service until the block ends, having waited until it is live. Its settings are the given ones alone."""
    port = free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**kept, "HOST": "127.0.0.1", "PORT": str(port), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    found = ServiceProcess(port=port, log=log, _process=process)
    try:
        found.wait_until(found.accepts)
        yield found
    finally:
        process.kill()
        process.wait(10)


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_program(name: str) -> str:
    # Debian keeps these off PATH, one folder for each version; the newest one serves.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    search = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    program = shutil.which(name, path=search)
    if program is None:
        pytest.fail("PostgreSQL is not installed: `apt-get install postgresql`, or deselect with -m 'not services'")
    return program


def _unprivileged_account() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.fail("PostgreSQL does not run as root, and neither a user `postgres` nor `nobody` exists")


def await_server(process: "subprocess.Popen[bytes]", connect: Callable[[], None], *, log: Path) -> None:
    """Call `connect` until it raises no more. Raises RuntimeError with the log if it ends or is too slow."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connect()
            return
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')}") from error
        time.sleep(0.05)
