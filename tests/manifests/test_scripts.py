"""The scripts that pods run, against the real servers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from cartwright.tree.repository import Tree
from cartwright_kit.testing import PostgresServer

PASSWORD = 'it\'s "quoted" \\ and $spaced'


@pytest.fixture
def create_databases(tree: Tree, postgres: PostgresServer, tmp_path: Path) -> Path:
    """Runs the script for the services `red` and `blue-green`; returns the folder of their passwords."""
    for name, password in {"red": PASSWORD, "blue-green": "other"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "password").write_text(password)
    _run(tree, postgres, tmp_path)
    return tmp_path


def test_each_service_gets_a_database_that_it_alone_may_use(postgres: PostgresServer, create_databases: Path) -> None:
    with _connect(postgres, "red", PASSWORD) as connection:
        connection.execute("CREATE TABLE mine (id int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        _connect(postgres, "blue-green", "other")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _connect(postgres, "red", "wrong")


def test_a_second_run_keeps_the_data_and_takes_a_changed_password(
    tree: Tree, postgres: PostgresServer, create_databases: Path
) -> None:
    with _connect(postgres, "red", PASSWORD) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    (create_databases / "red" / "password").write_text("changed")
    _run(tree, postgres, create_databases)
    with _connect(postgres, "red", "changed") as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _connect(postgres, "red", PASSWORD)


def test_the_job_waits_until_the_server_answers(tree: Tree, postgres: PostgresServer, tmp_path: Path) -> None:
    """A new pod is refused until what enforces network policies knows its address."""
    real = shutil.which("pg_isready")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "pg_isready"
    program.write_text(
        f'#!/bin/sh\nif [ ! -e {tmp_path}/asked ]; then touch {tmp_path}/asked; exit 2; fi\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    passwords = tmp_path / "passwords"
    for name in ("red", "blue-green"):
        (passwords / name).mkdir(parents=True)
        (passwords / name / "password").write_text("one")
    _run(tree, postgres, passwords, path=f"{folder}:{os.environ['PATH']}")
    assert (tmp_path / "asked").is_file()


def _run(tree: Tree, postgres: PostgresServer, folder: Path, *, path: str | None = None) -> None:
    environment = {
        "PATH": path or os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": "postgres",
    }
    script = tree.root / "apps/data/postgresql/create-databases.sh"
    done = subprocess.run(["sh", script, folder], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["database blue-green is ready", "database red is ready"]


def _connect(postgres: PostgresServer, user: str, password: str) -> psycopg.Connection:
    """To the database `red`."""
    return psycopg.connect(host="127.0.0.1", port=postgres.port, user=user, password=password, dbname="red")
