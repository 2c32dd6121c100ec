import asyncio
from typing import ClassVar

import httpx
import pytest
from fastapi import APIRouter
from prometheus_client.parser import text_string_to_metric_families

from cartwright_kit import HttpClient, UpstreamTimeout


class Shelf(HttpClient):
    name: ClassVar[str] = "upstream"


def failing(times: int, failure: httpx.Response | Exception) -> tuple[list[httpx.Request], httpx.MockTransport]:
    """A transport that fails so often and then answers, and the requests it got."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if len(requests) > times:
            return httpx.Response(200, json="fine")
        if isinstance(failure, Exception):
            raise failure
        return failure

    return requests, httpx.MockTransport(answer)


@pytest.mark.parametrize(
    ("method", "failure"),
    [
        pytest.param("GET", httpx.ConnectError("x"), id="GET that did not arrive"),
        pytest.param("POST", httpx.ConnectError("x"), id="POST that did not arrive"),
        pytest.param("GET", httpx.ReadError("x"), id="GET that may have arrived"),
        pytest.param("PUT", httpx.Response(503), id="PUT that was put off"),
    ],
)
async def test_what_is_safe_to_repeat_is_repeated(serve, method: str, failure: httpx.Response | Exception) -> None:
    requests, transport = failing(2, failure)
    shelf = Shelf("http://upstream.test", transport=transport)
    async with serve(None, shelf):
        assert (await shelf.request(method, "/books")).json() == "fine"
    assert len(requests) == 3


async def test_every_attempt_is_counted_by_outcome(serve) -> None:
    _, transport = failing(1, httpx.ConnectError("x"))
    shelf = Shelf("http://upstream.test", transport=transport)
    async with serve(None, shelf) as client:
        await shelf.request("GET", "/books")
        text = (await client.get("/metrics")).text
    counts = {
        (sample.labels["upstream"], sample.labels["method"], sample.labels["outcome"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_client_requests_total"
    }
    assert counts == {("upstream", "GET", "connect_error"): 1, ("upstream", "GET", "2xx"): 1}


async def test_all_attempts_together_end_within_the_deadline(serve) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    shelf = Shelf("http://upstream.test", transport=httpx.MockTransport(never), deadline=0.05)
    async with serve(None, shelf):
        with pytest.raises(UpstreamTimeout, match=r"upstream did not answer within 0\.05 s"):
            await shelf.request("GET", "/books")


async def test_ids_of_the_request_travel_with_the_call(serve) -> None:
    requests, transport = failing(0, httpx.Response(200))
    shelf = Shelf("http://upstream.test", transport=transport)
    router = APIRouter()

    @router.get("/read")
    async def read() -> str:
        return (await shelf.request("GET", "/books")).json()

    trace = "0af7651916cd43dd8448eb211c80319c"
    async with serve(router, shelf) as client:
        headers = {"X-Request-ID": "r-9", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        assert (await client.get("/read", headers=headers)).json() == "fine"
    [request] = requests
    assert request.headers["X-Request-ID"] == "r-9"
    version, passed_trace, span, flags = request.headers["traceparent"].split("-")
    assert (version, passed_trace, flags) == ("00", trace, "01")
    assert span != "b7ad6b7169203331"
    assert request.headers["User-Agent"] == "cartwright-shelf"


async def test_a_trace_begins_here_if_the_caller_brought_none(serve) -> None:
    requests, transport = failing(0, httpx.Response(200))
    shelf = Shelf("http://upstream.test", transport=transport)
    router = APIRouter()

    @router.get("/read")
    async def read() -> None:
        await shelf.request("GET", "/books")

    async with serve(router, shelf) as client:
        await client.get("/read")
    flags = int(requests[0].headers["traceparent"].rpartition("-")[2], 16)
    assert not flags & 1, "not sampled: nothing is exported"
