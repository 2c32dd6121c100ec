"""`python -m catalog`: serve until told to stop."""

from cartwright_kit import run
from catalog.app import create_app
from catalog.settings import Settings

if __name__ == "__main__":
    raise SystemExit(run(create_app, Settings, service="catalog"))
