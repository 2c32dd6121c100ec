"""`python -m catalog.migrate`: bring the database to the newest revision."""

from cartwright_kit import migrate
from catalog.settings import Settings

if __name__ == "__main__":
    raise SystemExit(migrate("catalog", Settings))
