from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

import pytest
import structlog
from fastapi import APIRouter, Depends

from cartwright_kit import Problem, Schema, problem_responses

router = APIRouter()


class ShelfFull(Problem):
    """No room."""

    status = HTTPStatus.CONFLICT
    slug = "shelf-full"
    title = "Shelf full"
    retry_after = 7


class Book(Schema):
    pages: int


async def _fails_at_its_end() -> AsyncIterator[None]:
    yield
    raise RuntimeError("commit failed at db:5432")


@router.post("/books")
async def add_book(book: Book) -> int:
    return book.pages


@router.get("/full")
async def full() -> None:
    raise ShelfFull("Sorry.", extensions={"room": 0}, headers={"X-Shelf": "3"})


@router.get("/bug")
async def bug() -> None:
    raise RuntimeError("the password is hunter2")


@router.get("/commit")
async def commit(_: Annotated[None, Depends(_fails_at_its_end, scope="function")]) -> str:
    return "stored"


async def test_a_domain_error_carries_status_type_and_extensions(serve) -> None:
    async with serve(router) as client:
        response = await client.get("/full", headers={"X-Request-ID": "r-7"})
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "7"
    assert response.headers["X-Shelf"] == "3"
    document = response.json()
    assert len(document.pop("trace_id")) == 32
    assert document == {
        "type": "urn:cartwright:problem:shelf-full",
        "title": "Shelf full",
        "status": 409,
        "detail": "Sorry.",
        "instance": "/full",
        "request_id": "r-7",
        "room": 0,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/nowhere", 404, "Not Found"),
        ("DELETE", "/books", 405, "Method Not Allowed"),
        ("POST", "/books/", 404, "Not Found"),
    ],
)
async def test_an_unknown_route_is_a_problem_too(serve, method: str, path: str, status: int, title: str) -> None:
    async with serve(router) as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.json()["type"], response.json()["title"]) == ("about:blank", title)


@pytest.mark.parametrize(
    ("body", "location", "pointer"),
    [
        pytest.param(b'{"pages": "hunter2"}', "body", "/pages", id="wrong type"),
        pytest.param(b'{"pages": 1, "a/b~c": 2}', "body", "/a~1b~0c", id="unknown field"),
        pytest.param(b'{"pages": hunter2}', "body", "/10", id="not JSON"),
        pytest.param(b"", "body", "", id="nothing"),
    ],
)
async def test_refused_input_is_located_and_not_repeated(serve, body: bytes, location: str, pointer: str) -> None:
    async with serve(router) as client:
        response = await client.post("/books", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["location"], error["pointer"]) == (location, pointer)
    assert "hunter2" not in response.text


@pytest.mark.parametrize("path", ["/bug", "/commit"])
async def test_an_unexpected_error_is_a_bare_500_with_ids(serve, path: str) -> None:
    # Captured, because structlog's own format for a terminal takes seconds to draw a traceback.
    with structlog.testing.capture_logs() as logged:
        async with serve(router) as client:
            response = await client.get(path)
            metrics = (await client.get("/metrics")).text
    assert [line["log_level"] for line in logged if line["event"] == "unexpected error"] == ["error"]
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "An unexpected error occurred."
    assert response.json()["request_id"] == response.headers["X-Request-ID"]
    assert f'http_requests_total{{method="GET",route="{path}",status="500"}} 1.0' in metrics


def test_extensions_cannot_replace_the_members_of_the_standard(serve) -> None:
    from cartwright_kit.errors import problem_response

    with pytest.raises(ValueError, match="status"):
        problem_response(path="/", status=409, detail="", extensions={"status": "shipped"})


def test_problems_of_one_status_share_an_entry_of_the_openapi_document() -> None:
    class Other(ShelfFull):
        title = "Other"

    assert [(status, entry["description"]) for status, entry in problem_responses(ShelfFull, Other).items()] == [
        (409, "Shelf full; Other")
    ]
