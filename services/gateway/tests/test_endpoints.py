import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from .conftest import FakeServices

SOME_ID = str(uuid.UUID(int=7))


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and the tail of the problem type, once the body is seen to be a problem document."""
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    return response.status_code, document["type"].removeprefix("urn:cartwright:problem:")


@pytest.mark.parametrize(
    ("method", "path", "upstream"),
    [
        ("GET", "/products", "http://catalog.test/products"),
        ("GET", "/products?limit=2&cursor=a%2Bb", "http://catalog.test/products?limit=2&cursor=a%2Bb"),
        ("GET", f"/products/{SOME_ID}", f"http://catalog.test/products/{SOME_ID}"),
        ("POST", "/orders", "http://orders.test/orders"),
        ("GET", "/orders?customer=ada", "http://orders.test/orders?customer=ada"),
        ("GET", f"/orders/{SOME_ID}", f"http://orders.test/orders/{SOME_ID}"),
        ("PUT", f"/orders/{SOME_ID}/status", f"http://orders.test/orders/{SOME_ID}/status"),
    ],
)
async def test_each_public_path_leads_to_one_service(
    client: httpx.AsyncClient, services: "FakeServices", method: str, path: str, upstream: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == 200
    assert [(request.method, str(request.url)) for request in services.requests] == [(method, upstream)]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("POST", "/products", 405, id="adding products"),
        pytest.param("PATCH", f"/products/{SOME_ID}", 405, id="changing products"),
        pytest.param("POST", f"/products/{SOME_ID}/stock-adjustments", 404, id="changing stock"),
        pytest.param("GET", "/orders/%2e%2e%2fmetrics", 404, id="encoded dots"),
        pytest.param("GET", "/orders/..%2Fmetrics", 404, id="encoded slash"),
        pytest.param("GET", "/orders/x", 422, id="no id"),
    ],
)
async def test_what_is_not_public_reaches_no_service(
    client: httpx.AsyncClient, services: "FakeServices", method: str, path: str, status: int
) -> None:
    response = await client.send(
        httpx.Request(method, httpx.URL("http://service.test").copy_with(raw_path=path.encode()))
    )
    assert problem(response)[0] == status
    assert services.requests == []


async def test_body_and_named_headers_pass_and_others_do_not(
    client: httpx.AsyncClient, services: "FakeServices"
) -> None:
    services.answer = httpx.Response(
        201, json={"id": SOME_ID}, headers={"Location": f"/orders/{SOME_ID}", "Server": "x", "Set-Cookie": "a=b"}
    )
    headers = {"Idempotency-Key": "k", "Authorization": "Bearer t", "Cookie": "c=d", "X-Forwarded-For": "1.2.3.4"}
    response = await client.post("/orders", json={"customer": "ada"}, headers=headers)
    [request] = services.requests
    assert json.loads(request.content) == {"customer": "ada"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "k"
    assert not {"authorization", "cookie", "x-forwarded-for"} & set(request.headers)
    assert (response.status_code, response.json()) == (201, {"id": SOME_ID})
    assert response.headers["Location"] == f"/orders/{SOME_ID}"
    assert not {"server", "set-cookie"} & set(response.headers)


async def test_a_problem_of_the_service_passes_unchanged(client: httpx.AsyncClient, services: "FakeServices") -> None:
    document = {"type": "urn:cartwright:problem:out-of-stock", "title": "Out of stock", "status": 409, "detail": "…"}
    services.answer = httpx.Response(409, json=document, headers={"Content-Type": "application/problem+json"})
    response = await client.post("/orders", json={})
    assert problem(response) == (409, "out-of-stock")
    assert response.json() == document


@pytest.mark.parametrize(
    ("answer", "expected", "attempts"),
    [
        pytest.param(httpx.ConnectError("refused"), (503, "upstream-unavailable"), 2, id="not reachable"),
        pytest.param(httpx.ConnectTimeout("slow"), (503, "upstream-unavailable"), 2, id="not connecting"),
        pytest.param(httpx.Response(503, json={}), (503, "upstream-unavailable"), 2, id="unavailable"),
        pytest.param(httpx.ReadError("reset"), (502, "upstream-failed"), 2, id="connection broken"),
        pytest.param(httpx.Response(500, json={}), (502, "upstream-failed"), 1, id="failing"),
        pytest.param(httpx.Response(404, text="<html>"), (502, "upstream-failed"), 1, id="answer of something else"),
        pytest.param(httpx.ReadTimeout("slow"), (504, "upstream-timeout"), 1, id="slow"),
        pytest.param(httpx.Response(504, json={}), (504, "upstream-timeout"), 1, id="waiting itself"),
    ],
)
async def test_a_failing_service_is_a_problem_of_its_own_kind(
    client: httpx.AsyncClient,
    services: "FakeServices",
    answer: httpx.Response | Exception,
    expected: tuple[int, str],
    attempts: int,
) -> None:
    services.answer = answer
    response = await client.get("/products")
    assert problem(response) == expected
    assert "catalog" in response.json()["detail"]
    assert len(services.requests) == attempts


@pytest.mark.parametrize(
    ("headers", "attempts"),
    [pytest.param({}, 1, id="without a key"), pytest.param({"Idempotency-Key": "k"}, 2, id="with a key")],
)
async def test_a_post_that_may_have_arrived_is_repeated_only_with_an_idempotency_key(
    client: httpx.AsyncClient, services: "FakeServices", headers: dict[str, str], attempts: int
) -> None:
    services.answer = httpx.ReadError("reset")
    assert problem(await client.post("/orders", json={}, headers=headers)) == (502, "upstream-failed")
    assert len(services.requests) == attempts


async def test_a_body_above_the_limit_is_refused_before_it_is_sent_on(
    client: httpx.AsyncClient, services: "FakeServices"
) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    for content in (b"x" * 1_100_000, chunks()):
        response = await client.post("/orders", content=content)
        assert problem(response) == (413, "about:blank")
    assert services.requests == []


async def test_is_ready_without_redis_and_services_and_says_so(
    client: httpx.AsyncClient, services: "FakeServices"
) -> None:
    services.answer = httpx.ConnectError("refused")
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["dependencies"] == {
        name: {"status": "unavailable", "required": False} for name in ("catalog", "orders", "redis")
    }
