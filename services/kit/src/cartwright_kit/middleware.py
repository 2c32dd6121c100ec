"""What happens around every request: ids, one log line, metrics, and an answer to the unexpected."""

import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cartwright_kit.context import REQUEST_ID_HEADER, begin_request, end_request, request_id
from cartwright_kit.errors import problem_response
from cartwright_kit.metrics import Metrics, route_template

QUIET_PATHS = frozenset({"/livez", "/readyz", "/startupz", "/version", "/metrics"})
_log = structlog.stdlib.get_logger(__name__)


class BodyLimitMiddleware:
    """Refuses a body above `max_bytes` with 413, whether its length is announced or not."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        detail = f"A body may have at most {self._max_bytes} bytes."
        announced = Headers(scope=scope).get("Content-Length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            await problem_response(path=scope["path"], status=413, detail=detail)(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, receive_limited, send)


class RequestMiddleware:
    """Outermost of the service's own layers, so that what it measures is what the client sees.

    An exception that no handler expects is logged with its traceback and answered with a bare 500 problem
    document: its text may hold what clients must not see.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = begin_request(Headers(scope=scope).get(REQUEST_ID_HEADER))
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id() or ""
            await send(message)

        try:
            with self._metrics.in_progress.track_inprogress():
                try:
                    await self._app(scope, receive, send_with_id)
                except Exception:
                    _log.exception("unexpected error", method=scope["method"], path=scope["path"])
                    if status:
                        raise  # half a response is out: only closing the connection tells the client
                    answer = problem_response(path=scope["path"], status=500, detail="An unexpected error occurred.")
                    await answer(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = route_template(scope)
            self._metrics.observe(method=scope["method"], route=route, status=status or 499, seconds=seconds)
            _log.log(
                10 if scope["path"] in QUIET_PATHS else 20,
                "request",
                method=scope["method"],
                path=scope["path"],
                route=route,
                status=status,
                duration_ms=round(seconds * 1000, 1),
                client=scope["client"][0] if scope.get("client") else None,
            )
            end_request(token)
