import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, inspect

from cartwright_kit import DatabaseSettings, migrate


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that puts settings into the environment, as a Job has them."""

    def put(settings: DatabaseSettings, **changes: str) -> None:
        for name, value in settings.model_dump().items():
            text = settings.database_password.get_secret_value() if name == "database_password" else str(value)
            monkeypatch.setenv(name.upper(), text)
        for name, value in changes.items():
            monkeypatch.setenv(name, value)

    return put


def tables(settings: DatabaseSettings) -> set[str]:
    engine = create_engine(settings.database_url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_missing_settings_are_named_and_end_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOST", "NAME", "USER", "PASSWORD"):
        monkeypatch.delenv(f"DATABASE_{name}", raising=False)
    assert migrate("catalog", DatabaseSettings, []) == 2
    assert "catalog.migrate: DATABASE_PASSWORD: is not set" in capsys.readouterr().err


def test_a_database_that_does_not_come_ends_with_1_and_one_line(
    capsys: pytest.CaptureFixture[str], use: Callable[..., None], empty_database: DatabaseSettings
) -> None:
    use(empty_database, DATABASE_PORT="1")
    assert migrate("catalog", DatabaseSettings, [], wait_seconds=0) == 1
    error = capsys.readouterr().err
    assert error.startswith("catalog.migrate: upgrade: ")
    assert "refused" in error
    assert "Traceback" not in error


def test_an_unknown_revision_ends_with_1(
    capsys: pytest.CaptureFixture[str], use: Callable[..., None], empty_database: DatabaseSettings
) -> None:
    use(empty_database)
    assert migrate("catalog", DatabaseSettings, ["upgrade", "9999"]) == 1
    assert "9999" in capsys.readouterr().err


def test_check_ends_with_1_on_a_database_that_is_behind(
    use: Callable[..., None], empty_database: DatabaseSettings
) -> None:
    use(empty_database)
    assert migrate("catalog", DatabaseSettings, ["check"]) == 1
    assert migrate("catalog", DatabaseSettings, []) == 0
    assert migrate("catalog", DatabaseSettings, ["check"]) == 0


def test_a_migration_that_fails_leaves_nothing_half_done(
    use: Callable[..., None], empty_database: DatabaseSettings
) -> None:
    use(empty_database)
    assert migrate("catalog", DatabaseSettings, []) == 0
    assert migrate("catalog", DatabaseSettings, ["downgrade", "base"]) == 0
    engine = create_engine(empty_database.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ix_product_created_at_id (taken int)")
    engine.dispose()
    with pytest.raises(Exception, match="already exists"):
        migrate("catalog", DatabaseSettings, [])
    assert tables(empty_database) == {"alembic_version", "ix_product_created_at_id"}


def test_two_jobs_at_once_both_succeed(empty_database: DatabaseSettings) -> None:
    environment = {
        name.upper(): str(value) for name, value in empty_database.model_dump(exclude={"database_password"}).items()
    } | {"DATABASE_PASSWORD": empty_database.database_password.get_secret_value()}
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "catalog.migrate"],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    outputs = [job.communicate(timeout=60)[0].decode() for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], outputs
    assert tables(empty_database) == {"alembic_version", "order_stock", "processed_event", "product"}
