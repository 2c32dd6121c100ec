"""`python -m orders.migrate`: bring the database to the newest revision."""

from cartwright_kit import migrate
from orders.settings import Settings

if __name__ == "__main__":
    raise SystemExit(migrate("orders", Settings))
