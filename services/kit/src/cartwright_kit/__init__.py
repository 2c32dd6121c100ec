"""What every Cartwright service shares. The public surface is what this module exports."""

from cartwright_kit.app import create_app
from cartwright_kit.client import HttpClient
from cartwright_kit.context import REQUEST_ID_HEADER, request_id
from cartwright_kit.database import Database, DatabaseUnavailable, Session, create_metadata
from cartwright_kit.errors import (
    PROBLEM_MEDIA_TYPE,
    Problem,
    ProblemDocument,
    ServiceUnavailable,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
    problem_responses,
)
from cartwright_kit.messages import Consumer, Event, EventRefused
from cartwright_kit.migrations import migrate, run_alembic, run_environment
from cartwright_kit.outbox import OutboxColumns, OutboxPublisher, add_event
from cartwright_kit.pagination import Cursor, Page, PageParameters, PageQuery, make_page, page_statement
from cartwright_kit.resources import Resource, Runtime, resource
from cartwright_kit.schemas import MAX_AMOUNT, Currency, Money, Schema
from cartwright_kit.server import run
from cartwright_kit.settings import (
    ConfigurationError,
    DatabaseSettings,
    MessagesSettings,
    Secret,
    ServiceSettings,
    load_settings,
)

__all__ = [
    "MAX_AMOUNT",
    "PROBLEM_MEDIA_TYPE",
    "REQUEST_ID_HEADER",
    "ConfigurationError",
    "Consumer",
    "Currency",
    "Cursor",
    "Database",
    "DatabaseSettings",
    "DatabaseUnavailable",
    "Event",
    "EventRefused",
    "HttpClient",
    "MessagesSettings",
    "Money",
    "OutboxColumns",
    "OutboxPublisher",
    "Page",
    "PageParameters",
    "PageQuery",
    "Problem",
    "ProblemDocument",
    "Resource",
    "Runtime",
    "Schema",
    "Secret",
    "ServiceSettings",
    "ServiceUnavailable",
    "Session",
    "UpstreamFailed",
    "UpstreamTimeout",
    "UpstreamUnavailable",
    "add_event",
    "create_app",
    "create_metadata",
    "load_settings",
    "make_page",
    "migrate",
    "page_statement",
    "problem_responses",
    "request_id",
    "resource",
    "run",
    "run_alembic",
    "run_environment",
]
