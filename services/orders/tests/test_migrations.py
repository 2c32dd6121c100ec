import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from cartwright_kit import DatabaseSettings, run_alembic


def tables(settings: DatabaseSettings) -> set[str]:
    engine = create_engine(settings.database_url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_models_are_what_the_migrations_make(empty_database: DatabaseSettings) -> None:
    run_alembic("orders", empty_database, lambda config: command.upgrade(config, "head"))
    run_alembic("orders", empty_database, command.check)


def test_down_leaves_nothing_and_up_again_works(empty_database: DatabaseSettings) -> None:
    for _ in range(2):
        run_alembic("orders", empty_database, lambda config: command.upgrade(config, "head"))
        assert tables(empty_database) == {"alembic_version", "order", "order_line", "outbox"}
        run_alembic("orders", empty_database, lambda config: command.downgrade(config, "base"))
        assert tables(empty_database) == {"alembic_version"}


def test_the_database_itself_refuses_a_state_that_does_not_exist(empty_database: DatabaseSettings) -> None:
    run_alembic("orders", empty_database, lambda config: command.upgrade(config, "head"))
    engine = create_engine(empty_database.database_url)
    statement = text(
        'INSERT INTO "order" (id, customer, idempotency_key, request_digest, status, currency, total_amount) '
        "VALUES (gen_random_uuid(), 'ada', :key, '', :status, 'EUR', 0)"
    )
    with engine.connect() as connection:
        connection.execute(statement, {"key": "1", "status": "placed"})
        with pytest.raises(IntegrityError, match="ck_order_status"):
            connection.execute(statement, {"key": "2", "status": "PLACED"})
    engine.dispose()
