"""Alembic's entry into these migrations."""

from cartwright_kit import run_environment
from orders.models import Base

run_environment(Base.metadata)
