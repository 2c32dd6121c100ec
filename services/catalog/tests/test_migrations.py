import pytest
from alembic import command
from sqlalchemy import create_engine, insert, inspect
from sqlalchemy.exc import IntegrityError

from cartwright_kit import DatabaseSettings, run_alembic
from catalog.models import Product


def tables(settings: DatabaseSettings) -> set[str]:
    engine = create_engine(settings.database_url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_models_are_what_the_migrations_make(empty_database: DatabaseSettings) -> None:
    run_alembic("catalog", empty_database, lambda config: command.upgrade(config, "head"))
    run_alembic("catalog", empty_database, command.check)


def test_down_leaves_nothing_and_up_again_works(empty_database: DatabaseSettings) -> None:
    for _ in range(2):
        run_alembic("catalog", empty_database, lambda config: command.upgrade(config, "head"))
        assert tables(empty_database) == {"alembic_version", "order_stock", "processed_event", "product"}
        run_alembic("catalog", empty_database, lambda config: command.downgrade(config, "base"))
        assert tables(empty_database) == {"alembic_version"}


@pytest.mark.parametrize(
    ("column", "value"),
    [("price_amount", -1), ("stock", -1), ("price_currency", "eur")],
)
def test_the_database_itself_refuses_a_row_that_cannot_be(
    empty_database: DatabaseSettings, column: str, value: int | str
) -> None:
    run_alembic("catalog", empty_database, lambda config: command.upgrade(config, "head"))
    engine = create_engine(empty_database.database_url)
    row = {"sku": "A", "name": "A", "description": "", "price_amount": 1, "price_currency": "EUR", "stock": 1}
    with engine.connect() as connection:
        connection.execute(insert(Product).values(row | {"sku": "B"}))
        with pytest.raises(IntegrityError, match=f"ck_product_{column}_"):
            connection.execute(insert(Product).values(row | {column: value}))
    engine.dispose()
