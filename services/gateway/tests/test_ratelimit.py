from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cartwright_kit.testing import RedisServer, client_of
from gateway.app import create_app
from gateway.ratelimit import RateLimiter, RateLimitExceeded
from gateway.repository import RequestCounts
from gateway.settings import Settings

if TYPE_CHECKING:
    from .conftest import FakeServices


async def decisions(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {
        sample.labels["decision"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "rate_limit_decisions_total"
    }


async def test_one_request_too_many_is_refused_and_told_when_to_return(
    counting: Settings, services: "FakeServices"
) -> None:
    async with client_of(create_app(counting, transport=httpx.MockTransport(services))) as client:
        responses = [await client.get("/products") for _ in range(4)]
        assert [response.status_code for response in responses] == [200, 200, 200, 429]
        assert [response.headers["RateLimit-Remaining"] for response in responses] == ["2", "1", "0", "0"]
        assert {response.headers["RateLimit-Limit"] for response in responses} == {"3"}
        assert responses[-1].json()["type"] == "urn:cartwright:problem:rate-limit-exceeded"
        assert responses[-1].headers["Retry-After"] == responses[-1].headers["RateLimit-Reset"]
        assert 0 < int(responses[-1].headers["Retry-After"]) <= 100_000
        assert len(services.requests) == 3
        assert await decisions(client) == {"allowed": 3, "refused": 1}


async def test_probes_and_metrics_are_not_limited(counting: Settings, services: "FakeServices") -> None:
    async with client_of(create_app(counting, transport=httpx.MockTransport(services))) as client:
        for path in ("/livez", "/readyz", "/metrics") * 2:
            assert (await client.get(path)).status_code == 200


async def test_replicas_share_the_count(counting: Settings, services: "FakeServices") -> None:
    transport = httpx.MockTransport(services)
    async with (
        client_of(create_app(counting, transport=transport)) as first,
        client_of(create_app(counting, transport=transport)) as second,
    ):
        statuses = [(await replica.get("/products")).status_code for replica in (first, second, first, second)]
    assert statuses == [200, 200, 200, 429]


async def test_clients_are_counted_apart_and_windows_begin_anew(counting: Settings) -> None:
    now = 1000.0
    counts = RequestCounts(counting)
    limiter = RateLimiter(counts, requests=1, window_seconds=10, clock=lambda: now)
    try:
        assert (await limiter.admit("10.0.0.1"))["RateLimit-Reset"] == "10"
        await limiter.admit("10.0.0.2")
        now = 1009.0
        with pytest.raises(RateLimitExceeded, match=r"At most 1 requests in 10 s; try again in 1 s\."):
            await limiter.admit("10.0.0.1")
        now = 1010.0
        await limiter.admit("10.0.0.1")
    finally:
        await counts.close()


async def test_counts_do_not_stay_in_redis_for_ever(counting: Settings, redis_server: RedisServer) -> None:
    counts = RequestCounts(counting)
    try:
        await counts.add("10.0.0.1", window=5, window_seconds=10)
        assert 0 < redis_server.command("TTL", "gateway:requests:10:5:10.0.0.1") <= 20
    finally:
        await counts.close()


async def test_without_redis_every_request_passes_uncounted(settings: Settings, services: "FakeServices") -> None:
    one = settings.model_copy(update={"rate_limit_requests": 1})
    async with client_of(create_app(one, transport=httpx.MockTransport(services))) as client:
        responses = [await client.get("/products") for _ in range(3)]
        assert [response.status_code for response in responses] == [200, 200, 200]
        assert not any("RateLimit-Limit" in response.headers for response in responses)
        assert await decisions(client) == {"failed_open": 3}
