"""`python -m catalog.migrate`: bring the database to the newest revision."""

from cartwright_kit import DatabaseSettings, migrate

if __name__ == "__main__":
    raise SystemExit(migrate("catalog", DatabaseSettings))
