"""`python -m orders.migrate`: bring the database to the newest revision."""

from cartwright_kit import DatabaseSettings, migrate

if __name__ == "__main__":
    raise SystemExit(migrate("orders", DatabaseSettings))
