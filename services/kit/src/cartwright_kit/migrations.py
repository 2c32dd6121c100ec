"""Alembic for every service: where its migrations are, how they run, and how they are kept from colliding."""

import argparse
import sys
import zlib
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files

from alembic import command, context
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from cartwright_kit.settings import ConfigurationError, DatabaseSettings, load_settings

_WAIT_SECONDS = 60.0


def migrate(
    package: str,
    settings_type: type[DatabaseSettings],
    argv: Sequence[str] | None = None,
    *,
    wait_seconds: float = _WAIT_SECONDS,
) -> int:
    """The command `python -m <package>.migrate`: bring the database to the newest revision, or as the arguments say.

    Returns the exit code: 0 done, 1 the migration failed or the models differ, 2 settings or arguments unusable.
    Waits for a database that is still starting, for at most `wait_seconds`.
    """
    arguments = _parser(package).parse_args(argv)
    try:
        settings = load_settings(settings_type)
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"{package}.migrate: {problem}", file=sys.stderr)  # noqa: T201  no logging without settings
        return 2
    steps: dict[str, Callable[[Config], object]] = {
        "upgrade": lambda config: command.upgrade(config, arguments.revision or "head"),
        "downgrade": lambda config: command.downgrade(config, arguments.revision),
        "check": command.check,
        "current": command.current,
    }
    try:
        _await_database(settings, wait_seconds=wait_seconds)
        run_alembic(package, settings, steps[arguments.action])
    except (CommandError, OperationalError) as error:
        cause = getattr(error, "orig", None) or error
        print(f"{package}.migrate: {arguments.action}: {str(cause).strip()}", file=sys.stderr)  # noqa: T201  for the Job's log
        return 1
    return 0


def run_alembic(package: str, settings: DatabaseSettings, step: Callable[[Config], object]) -> None:
    """Run one Alembic command over the migrations inside `package`, in one transaction.

    An advisory lock makes a second run, a retried Job for one, wait and then find nothing left to do.
    """
    engine = create_engine(settings.database_url, poolclass=NullPool)
    with as_file(files(package) / "migrations") as folder, engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(f"{package} migrations".encode())}
        )
        step(config)


def run_environment(metadata: MetaData) -> None:
    """The whole of a service's `migrations/env.py`."""
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise CommandError("migrations run through `python -m <service>.migrate`, not through the alembic command")
    context.configure(
        connection=connection, target_metadata=metadata, compare_server_default=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()


def _await_database(settings: DatabaseSettings, *, wait_seconds: float) -> None:
    engine = create_engine(settings.database_url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    for attempt in Retrying(
        retry=retry_if_exception_type(OperationalError),
        wait=wait_fixed(1),
        stop=stop_after_delay(wait_seconds),
        reraise=True,
    ):
        with attempt, engine.connect() as connection:
            connection.execute(text("SELECT 1"))


def _parser(package: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}.migrate", description=f"Migrate the {package} database."
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.set_defaults(action="upgrade", revision="head")
    actions.add_parser("upgrade", help="to the newest revision (the default)").add_argument(
        "revision", nargs="?", default="head"
    )
    actions.add_parser("downgrade", help="back to a revision; `base` is the empty database").add_argument("revision")
    actions.add_parser("check", help="fail if the models differ from the migrated database")
    actions.add_parser("current", help="print the database's revision")
    return parser
