"""Logs as JSON, one object a line on stdout, with the ids of the request and of the trace."""

import logging
import sys
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from cartwright_kit.context import request_id


def configure_logging(*, service: str, level: str, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records, uvicorn's included, as JSON to a stream, by default stdout.

    Called once by the process's entry; importing or building an application changes no logging.
    """

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        add_request_ids,
        # Without local variables: they hold secrets and personal data, and take a second to render.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # A line for each outgoing call says nothing that the caller's own line and the metrics do not.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def add_request_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: adds request_id, trace_id and span_id of the request being handled."""
    if identifier := request_id():
        event.setdefault("request_id", identifier)
    if (span := trace.get_current_span().get_span_context()).is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event
