"""Calls to other services: time limits, retries where they are safe, ids passed on, failures as problems."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar

import httpx
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from cartwright_kit.context import REQUEST_ID_HEADER, request_id
from cartwright_kit.errors import Problem, UpstreamFailed, UpstreamTimeout, UpstreamUnavailable
from cartwright_kit.resources import Resource, Runtime

_IDEMPOTENT = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT"})


class _NotSent(Exception):
    """The request never reached the upstream, so any method may be tried again."""


class _MayRepeat(Exception):
    """The upstream may have seen the request; only an idempotent one may be tried again."""


class HttpClient(Resource):
    """A client of one upstream. Subclass it per upstream: give `name` and the methods its callers need.

    Attempts are repeated on connection failures (any method) and, for idempotent requests, on broken
    connections and on 503; an `Idempotency-Key` header makes a POST idempotent. A request that timed out
    is not repeated: the upstream is slow already. All attempts together end within `deadline` seconds.
    """

    required: ClassVar[bool] = False  # requests that need the upstream say so; the others still work

    def __init__(
        self,
        base_url: str,
        *,
        attempts: int = 3,
        connect_seconds: float = 1.0,
        deadline: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._attempts = attempts
        self._timeout = httpx.Timeout(deadline, connect=connect_seconds, pool=connect_seconds)
        self._deadline = deadline
        self._transport = transport
        self._runtime: Runtime | None = None
        self._client: httpx.AsyncClient | None = None

    def bind(self, runtime: Runtime) -> None:
        """Take the tracer and the metrics."""
        self._runtime = runtime

    async def open(self) -> None:
        """Create the connection pool; nothing connects yet."""
        runtime = self._bound()
        inner = self._transport or httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20)
        )
        self._client = httpx.AsyncClient(
            base_url=self._base_url,
            timeout=self._timeout,
            headers={"User-Agent": f"cartwright-{runtime.service}"},
            transport=AsyncOpenTelemetryTransport(inner, tracer_provider=runtime.tracer_provider),
        )

    async def close(self) -> None:
        """Close the connection pool."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def check(self) -> None:
        """Ask the upstream whether it is alive, once."""
        (await self._opened().get("/livez", timeout=1.0)).raise_for_status()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | httpx.QueryParams | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and return the response, whatever its status below 500.

        Raises UpstreamUnavailable (no connection, or 503), UpstreamTimeout (too slow, or 504) and UpstreamFailed
        (connection broken, or any other 5xx).
        """
        sent = httpx.Headers(headers)
        if identifier := request_id():
            sent[REQUEST_ID_HEADER] = identifier
        request = self._opened().build_request(method, path, params=params, json=json, content=content, headers=sent)
        repeatable = method in _IDEMPOTENT or "Idempotency-Key" in sent
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((_NotSent, _MayRepeat) if repeatable else _NotSent),
            stop=stop_after_attempt(self._attempts),
            wait=wait_exponential_jitter(multiplier=0.05, max=1.0, jitter=0.05),
            retry_error_callback=_last_problem,
        )
        try:
            async with asyncio.timeout(self._deadline):
                return await retrying(self._attempt, request)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self.name} did not answer within {self._deadline:g} s.") from error
        except (_NotSent, _MayRepeat) as error:
            raise _problem(error) from error.__cause__

    async def _attempt(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._opened().send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            self._count(request, "connect_error")
            raise _NotSent(UpstreamUnavailable(f"{self.name} cannot be reached.")) from error
        except httpx.TimeoutException as error:
            self._count(request, "timeout")
            raise UpstreamTimeout(f"{self.name} did not answer within {self._deadline:g} s.") from error
        except httpx.TransportError as error:
            self._count(request, "protocol_error")
            raise _MayRepeat(UpstreamFailed(f"{self.name} broke the connection.")) from error
        self._count(request, f"{response.status_code // 100}xx")
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise _MayRepeat(UpstreamUnavailable(f"{self.name} is unavailable."))
        if response.status_code == httpx.codes.GATEWAY_TIMEOUT:
            raise UpstreamTimeout(f"{self.name} waited too long for a service behind it.")
        if response.is_server_error:
            raise UpstreamFailed(f"{self.name} answered with status {response.status_code}.")
        return response

    def _count(self, request: httpx.Request, outcome: str) -> None:
        self._bound().metrics.client_requests.labels(self.name, request.method, outcome).inc()

    def _bound(self) -> Runtime:
        if self._runtime is None:
            raise RuntimeError(f"{self.name}: not among the resources of an application")
        return self._runtime

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            raise RuntimeError(f"{self.name}: used outside of the application's lifespan")
        return self._client


def _problem(error: BaseException) -> Problem:
    problem = error.args[0]
    assert isinstance(problem, Problem)  # noqa: S101  what both are raised with, above
    return problem


def _last_problem(state: RetryCallState) -> httpx.Response:
    assert state.outcome is not None  # noqa: S101  called after an attempt
    error = state.outcome.exception()
    assert error is not None  # noqa: S101  called after a failure
    raise _problem(error) from error.__cause__
