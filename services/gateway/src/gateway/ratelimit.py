"""A limit on the requests of each client. It protects the shop, so it never takes the shop down: it fails open."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, ClassVar

import structlog
from fastapi import Depends, Request
from prometheus_client import Counter
from redis import RedisError

from cartwright_kit import Problem, Resource, Runtime, resource
from gateway.repository import RequestCounts

_PAUSE_SECONDS = 5.0
_log = structlog.stdlib.get_logger(__name__)


class RateLimitExceeded(Problem):
    """This client made too many requests."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "rate-limit-exceeded"
    title = "Rate limit exceeded"


class RateLimiter(Resource):
    """Allows `requests` for each client in each window of `window_seconds`, windows being the same for all."""

    name: ClassVar[str] = "redis"
    required: ClassVar[bool] = False  # without it requests are neither counted nor refused

    def __init__(
        self,
        counts: RequestCounts,
        *,
        requests: int,
        window_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._counts = counts
        self._requests = requests
        self._window_seconds = window_seconds
        self._clock = clock
        self._paused_until = 0.0
        self._decisions: Counter | None = None

    def bind(self, runtime: Runtime) -> None:
        """Register the count of decisions."""
        self._decisions = Counter(
            "rate_limit_decisions",
            "Requests that were allowed, refused, or let through because Redis did not answer",
            ("decision",),
            registry=runtime.metrics.registry,
        )

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._counts.close()

    async def check(self) -> None:
        """Ask Redis for an answer."""
        await self._counts.check()

    async def admit(self, client: str) -> dict[str, str]:
        """Count a request; returns response headers that tell the client where it stands.

        Raises RateLimitExceeded. Without Redis every request is admitted, and the headers are empty.
        """
        now = self._clock()
        window, into = divmod(now, self._window_seconds)
        # After a failure Redis is left alone for a moment, so that an outage does not slow every request down.
        if time.monotonic() < self._paused_until:
            self._decide("failed_open")
            return {}
        try:
            count = await self._counts.add(client, window=int(window), window_seconds=self._window_seconds)
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            _log.warning("requests are not counted", dependency="redis", error=repr(error))
            self._decide("failed_open")
            return {}
        reset = max(1, round(self._window_seconds - into))
        headers = {
            "RateLimit-Limit": str(self._requests),
            "RateLimit-Remaining": str(max(0, self._requests - count)),
            "RateLimit-Reset": str(reset),
        }
        if count > self._requests:
            self._decide("refused")
            raise RateLimitExceeded(
                f"At most {self._requests} requests in {self._window_seconds} s; try again in {reset} s.",
                headers=headers | {"Retry-After": str(reset)},
            )
        self._decide("allowed")
        return headers

    def _decide(self, decision: str) -> None:
        if self._decisions is not None:
            self._decisions.labels(decision).inc()


async def _limit(request: Request, limiter: Annotated[RateLimiter, Depends(resource(RateLimiter))]) -> dict[str, str]:
    return await limiter.admit(request.client.host if request.client else "unknown")


RateLimitHeaders = Annotated[dict[str, str], Depends(_limit)]
"""Counts the request; the headers belong on the response."""
