"""`python -m orders`: serve until told to stop."""

from cartwright_kit import run
from orders.app import create_app
from orders.settings import Settings

if __name__ == "__main__":
    raise SystemExit(run(create_app, Settings, service="orders"))
