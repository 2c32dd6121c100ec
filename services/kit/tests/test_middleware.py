import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from fastapi import APIRouter

from cartwright_kit.logs import configure_logging

router = APIRouter()


@router.get("/books/{book_id}")
async def read_book(book_id: int) -> int:
    structlog.stdlib.get_logger("shelf").info("reading", book=book_id)
    return book_id


@router.get("/bug")
async def bug() -> None:
    raise RuntimeError("oops")


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """A function that returns the log lines so far, parsed."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(service="shelf", level="INFO", stream=stream)
    ours = root.handlers
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    assert root.handlers is ours
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


async def test_metrics_are_labelled_by_route_template_and_never_by_path(serve) -> None:
    async with serve(router) as client:
        for path in ("/books/1", "/books/2", "/books/x", "/wp-admin", "/.env"):
            await client.get(path)
        await client.request("BREW", "/books/1")
        text = (await client.get("/metrics")).text
    counts = [line for line in text.splitlines() if line.startswith("http_requests_total{")]
    assert 'http_requests_total{method="GET",route="/books/{book_id}",status="200"} 2.0' in counts
    assert 'http_requests_total{method="GET",route="/books/{book_id}",status="422"} 1.0' in counts
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 2.0' in counts
    assert 'http_requests_total{method="other",route="/books/{book_id}",status="405"} 1.0' in counts
    assert "http_request_duration_seconds_bucket{" in text
    assert "process_cpu_seconds_total" in text
    assert "wp-admin" not in text


async def test_every_line_has_the_ids_of_its_request_and_trace(serve, logged) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with serve(router) as client:
        await client.get("/books/7", headers={"X-Request-ID": "r-1", "traceparent": f"00-{trace}-b7ad6b7169203331-00"})
    inside, around = (line for line in logged() if line["logger"] in ("shelf", "cartwright_kit.middleware"))
    for line in (inside, around):
        assert (line["request_id"], line["trace_id"], line["service"]) == ("r-1", trace, "shelf")
        assert line["level"] == "info"
    assert inside["book"] == 7
    assert (around["method"], around["route"], around["status"]) == ("GET", "/books/{book_id}", 200)


async def test_probes_write_no_line(serve, logged) -> None:
    async with serve(router) as client:
        await client.get("/livez")
        await client.get("/metrics")
    assert [line for line in logged() if line["event"] == "request"] == []


async def test_an_unexpected_error_is_logged_with_its_traceback_and_ids(serve, logged) -> None:
    async with serve(router) as client:
        await client.get("/bug", headers={"X-Request-ID": "r-2"})
    [line] = [line for line in logged() if line["event"] == "unexpected error"]
    assert (line["level"], line["request_id"]) == ("error", "r-2")
    assert line["exception"][0]["exc_type"] == "RuntimeError"
    assert "locals" not in line["exception"][0]["frames"][-1]


@pytest.mark.parametrize("offered", ["a b", "x" * 129, 'quote"', ""], ids=["space", "too long", "quote", "empty"])
async def test_a_request_id_that_is_not_safe_to_log_is_replaced(serve, offered: str) -> None:
    async with serve(router) as client:
        given = (await client.get("/books/1", headers={"X-Request-ID": offered})).headers["X-Request-ID"]
        other = (await client.get("/books/1", headers={"X-Request-ID": offered})).headers["X-Request-ID"]
    assert given != offered
    assert len(given) == 32
    assert given != other
