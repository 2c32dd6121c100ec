"""`python -m gateway`: serve until told to stop."""

from cartwright_kit import run
from gateway.app import create_app
from gateway.settings import Settings

if __name__ == "__main__":
    raise SystemExit(run(create_app, Settings, service="gateway"))
