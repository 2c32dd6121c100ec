"""Errors as clients see them: RFC 9457 problem documents, made in one place.

Problem                    what a service raises: carries status, type and title
├── UpstreamUnavailable    503: a service this one calls could not be reached
├── UpstreamFailed         502: it answered with something this one cannot use
├── UpstreamTimeout        504: it took too long
├── ServiceUnavailable     503: something of this service's own is not available
└── each service's own     such as ProductNotFound
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry import trace
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.exceptions import HTTPException

from cartwright_kit.context import request_id

PROBLEM_MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:cartwright:problem:"
_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "request_id", "trace_id"})


class Problem(Exception):
    """A domain error. A subclass states `status`, `slug` (the tail of the problem type) and `title` once.

    `detail` explains this occurrence; `extensions` are further members of the document, `headers` of the response.
    """

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    slug: ClassVar[str | None] = None
    title: ClassVar[str] = "Internal Server Error"
    retry_after: ClassVar[int | None] = None
    """Seconds after which a repetition has a chance, where that can be said."""

    def __init__(
        self,
        detail: str,
        *,
        extensions: Mapping[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions or {}
        retry = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        self.headers: Mapping[str, str] = {**retry, **(headers or {})}


class ServiceUnavailable(Problem):
    """Something this service needs, its database for one, does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "service-unavailable"
    title = "Service unavailable"
    retry_after = 5


class UpstreamUnavailable(Problem):
    """A service this one calls cannot be reached, or says that it is unavailable."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "upstream-unavailable"
    title = "Upstream unavailable"
    retry_after = 5


class UpstreamFailed(Problem):
    """A service this one calls failed, or answered outside its contract."""

    status = HTTPStatus.BAD_GATEWAY
    slug = "upstream-failed"
    title = "Upstream failed"


class UpstreamTimeout(Problem):
    """A service this one calls did not answer in time; whether it acted is not known."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    slug = "upstream-timeout"
    title = "Upstream timeout"


class FieldError(BaseModel):
    """One reason why a request was refused."""

    location: str = Field(examples=["body"], description="body, query, path, header or cookie")
    pointer: str = Field(examples=["/lines/0/quantity"], description="JSON Pointer to the value inside the location")
    detail: str


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:cartwright:problem:validation"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="path of the request")
    request_id: str | None = None
    trace_id: str | None = None
    errors: list[FieldError] | None = None


def _documented(description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


VALIDATION_RESPONSE: Final[dict[int | str, dict[str, Any]]] = {422: _documented("Request not valid")}
"""The `responses=` of every endpoint that takes input."""


def problem_responses(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint that raises these problems, for the OpenAPI document."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        described = found.setdefault(int(kind.status), _documented(kind.title))
        if kind.title not in described["description"]:
            described["description"] += f"; {kind.title}"
    return found


def problem_response(
    *,
    path: str,
    status: int,
    detail: str,
    slug: str | None = None,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, JsonValue] | None = None,
) -> JSONResponse:
    """A problem document as a response. Without a slug the type is `about:blank` and the title HTTP's own."""
    document: dict[str, JsonValue] = {
        "type": f"{_TYPE_PREFIX}{slug}" if slug else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": path,
    }
    if identifier := request_id():
        document["request_id"] = identifier
    if (span := trace.get_current_span().get_span_context()).is_valid:
        document["trace_id"] = trace.format_trace_id(span.trace_id)
    if taken := _STANDARD_MEMBERS.intersection(extensions or ()):
        raise ValueError(f"extensions of a problem cannot replace its own members: {', '.join(sorted(taken))}")
    document.update(extensions or {})
    return JSONResponse(document, status_code=int(status), headers=headers, media_type=PROBLEM_MEDIA_TYPE)


def install_handlers(app: FastAPI) -> None:
    """Answer domain errors, refused input and unknown routes of this application with problem documents.

    Exceptions nobody expected are answered by RequestMiddleware, which also sees those raised outside of routes.
    """
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101  what the handler is registered for
    return problem_response(
        path=request.url.path,
        status=error.status,
        detail=error.detail,
        slug=error.slug,
        title=error.title,
        headers=error.headers,
        extensions=error.extensions,
    )


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  what the handler is registered for
    return problem_response(
        path=request.url.path, status=error.status_code, detail=str(error.detail), headers=error.headers
    )


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  what the handler is registered for
    fields = [_field_error(entry["loc"], entry["msg"]) for entry in error.errors()]
    return problem_response(
        path=request.url.path,
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail="; ".join(f"{field.location}{field.pointer}: {field.detail}" for field in fields),
        slug="validation",
        title="Request not valid",
        extensions={"errors": [field.model_dump() for field in fields]},
    )


def _field_error(location: Sequence[int | str], message: str) -> FieldError:
    # The value itself is left out: it may be personal data, and the client has it.
    first, *rest = location or ("body",)
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in rest)
    return FieldError(location=str(first), pointer=pointer, detail=message.removeprefix("Value error, "))
