import asyncio
import uuid
from datetime import datetime
from typing import Any

import httpx
import pytest

from cartwright_kit.testing import client_of
from catalog.app import create_app
from catalog.settings import Settings

MUG = {
    "sku": "MUG-1",
    "name": "Mug",
    "description": "Holds tea.",
    "price": {"amount": 1250, "currency": "EUR"},
    "stock": 10,
}


async def add(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    response = await client.post("/products", json=MUG | changes)
    assert response.status_code == 201, response.text
    return response.json()


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and the tail of the problem type, once the body is seen to be a problem document."""
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["instance"] == response.request.url.path
    return response.status_code, document["type"].removeprefix("urn:cartwright:problem:")


class TestCreate:
    @pytest.mark.parametrize(
        ("changes", "place"),
        [
            pytest.param({"colour": "red"}, "/colour", id="unknown field"),
            pytest.param({"sku": "mug 1"}, "/sku", id="SKU of other characters"),
            pytest.param({"name": "  "}, "/name", id="blank name"),
            pytest.param({"name": "a\x00b"}, "/name", id="NUL, which PostgreSQL cannot store"),
            pytest.param({"stock": -1}, "/stock", id="negative stock"),
            pytest.param({"stock": "1"}, "/stock", id="stock as text"),
            pytest.param({"price": {"amount": 12.5, "currency": "EUR"}}, "/price/amount", id="fraction of a cent"),
            pytest.param({"price": {"amount": 12.0, "currency": "EUR"}}, "/price/amount", id="float price"),
            pytest.param({"price": {"amount": "12", "currency": "EUR"}}, "/price/amount", id="price as text"),
            pytest.param({"price": {"amount": True, "currency": "EUR"}}, "/price/amount", id="price as boolean"),
            pytest.param({"price": {"amount": -1, "currency": "EUR"}}, "/price/amount", id="negative price"),
            pytest.param({"price": {"amount": 10**12 + 1, "currency": "EUR"}}, "/price/amount", id="price too large"),
            pytest.param(
                {"price": {"amount": 1, "currency": "eur"}}, "/price/currency", id="currency in small letters"
            ),
            pytest.param({"price": {"amount": 1}}, "/price/currency", id="no currency"),
        ],
    )
    async def test_refuses_what_is_not_a_product_and_says_where(
        self, client: httpx.AsyncClient, changes: dict[str, Any], place: str
    ) -> None:
        response = await client.post("/products", json=MUG | changes)
        assert problem(response) == (422, "validation")
        assert [error["pointer"] for error in response.json()["errors"]] == [place]
        assert (await client.get("/products")).json()["items"] == []

    async def test_refuses_a_sku_that_is_taken(self, client: httpx.AsyncClient) -> None:
        await add(client)
        response = await client.post("/products", json=MUG | {"name": "Other"})
        assert problem(response) == (409, "sku-taken")
        assert [item["name"] for item in (await client.get("/products")).json()["items"]] == ["Mug"]

    async def test_answers_with_the_product_and_its_place(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/products", json=MUG)
        assert response.status_code == 201
        created = response.json()
        assert {key: created[key] for key in MUG} == MUG
        assert response.headers["Location"] == f"/products/{created['id']}"
        assert datetime.fromisoformat(created["created_at"]).utcoffset() is not None
        assert (await client.get(response.headers["Location"])).json() == created

    async def test_of_two_at_once_with_one_sku_only_one_succeeds(self, client: httpx.AsyncClient) -> None:
        responses = await asyncio.gather(*(client.post("/products", json=MUG) for _ in range(5)))
        assert sorted(response.status_code for response in responses) == [201, 409, 409, 409, 409]


class TestRead:
    async def test_of_an_unknown_id_is_not_found(self, client: httpx.AsyncClient) -> None:
        assert problem(await client.get(f"/products/{uuid.uuid4()}")) == (404, "product-not-found")

    async def test_of_something_that_is_no_id_is_refused(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/products/7")
        assert problem(response) == (422, "validation")
        assert response.json()["errors"][0]["location"] == "path"


class TestList:
    async def test_of_an_empty_catalog_is_one_empty_page(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/products")).json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param({"limit": "0"}, id="no rows"),
            pytest.param({"limit": "101"}, id="too many rows"),
            pytest.param({"cursor": "bm9uc2Vuc2U"}, id="cursor that was never given out"),
            pytest.param({"page": "2"}, id="unknown parameter"),
        ],
    )
    async def test_refuses_a_query_it_does_not_know(self, client: httpx.AsyncClient, query: dict[str, str]) -> None:
        response = await client.get("/products", params=query)
        assert problem(response) == (422, "validation")
        assert response.json()["errors"][0]["pointer"] == f"/{next(iter(query))}"

    async def test_pages_hold_every_product_once_although_more_are_added(self, client: httpx.AsyncClient) -> None:
        for number in range(5):
            await add(client, sku=f"P-{number}")
        seen: list[str] = []
        cursor: str | None = None
        for page in range(3):
            response = await client.get("/products", params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))
            body = response.json()
            seen += [item["sku"] for item in body["items"]]
            cursor = body["next_cursor"]
            if page == 0:
                await add(client, sku="P-5")
        assert seen == [f"P-{number}" for number in range(6)]
        assert cursor is None


class TestUpdate:
    async def test_of_an_unknown_product_is_not_found(self, client: httpx.AsyncClient) -> None:
        response = await client.patch(f"/products/{uuid.uuid4()}", json={"name": "X"})
        assert problem(response) == (404, "product-not-found")

    @pytest.mark.parametrize("field", ["sku", "stock", "id"])
    async def test_refuses_fields_that_do_not_change_this_way(self, client: httpx.AsyncClient, field: str) -> None:
        product = await add(client)
        response = await client.patch(f"/products/{product['id']}", json={field: product[field]})
        assert problem(response) == (422, "validation")

    async def test_refuses_to_empty_a_field(self, client: httpx.AsyncClient) -> None:
        product = await add(client)
        assert problem(await client.patch(f"/products/{product['id']}", json={"price": None})) == (422, "validation")

    async def test_changes_what_is_given_and_nothing_else(self, client: httpx.AsyncClient) -> None:
        product = await add(client)
        changed = {"price": {"amount": 999, "currency": "USD"}}
        response = await client.patch(f"/products/{product['id']}", json=changed)
        assert response.status_code == 200
        updated = response.json()
        assert updated.pop("updated_at") > product.pop("updated_at")
        assert updated == product | changed

    async def test_without_fields_changes_nothing(self, client: httpx.AsyncClient) -> None:
        product = await add(client)
        assert (await client.patch(f"/products/{product['id']}", json={})).json() == product


class TestStock:
    async def test_of_an_unknown_product_is_not_found(self, client: httpx.AsyncClient) -> None:
        response = await client.post(f"/products/{uuid.uuid4()}/stock-adjustments", json={"delta": 1})
        assert problem(response) == (404, "product-not-found")

    async def test_never_goes_below_zero(self, client: httpx.AsyncClient) -> None:
        product = await add(client, stock=2)
        response = await client.post(f"/products/{product['id']}/stock-adjustments", json={"delta": -3})
        assert problem(response) == (409, "stock-out-of-range")
        assert response.json()["stock"] == 2

    async def test_adjustments_at_once_all_count(self, client: httpx.AsyncClient) -> None:
        product = await add(client, stock=5)
        path = f"/products/{product['id']}/stock-adjustments"
        responses = await asyncio.gather(*(client.post(path, json={"delta": -1}) for _ in range(8)))
        assert sorted(response.status_code for response in responses) == [200] * 5 + [409] * 3
        assert (await client.get(f"/products/{product['id']}")).json()["stock"] == 0


async def test_an_unreachable_database_is_a_503_problem_and_not_a_crash(settings: Settings) -> None:
    unreachable = settings.model_copy(update={"database_port": 1})
    async with client_of(create_app(unreachable)) as client:
        response = await client.get("/products")
        assert problem(response) == (503, "database-unavailable")
        assert response.headers["Retry-After"] == "5"
        readiness = await client.get("/readyz")
        assert readiness.status_code == 503
        assert readiness.json()["dependencies"]["database"] == {"status": "unavailable", "required": True}
        assert (await client.get("/livez")).status_code == 200


async def test_the_openapi_document_names_the_problems_of_each_operation(client: httpx.AsyncClient) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"]["/products"]["post"]
    assert set(operation["responses"]) == {"201", "409", "422", "503"}
    assert list(operation["responses"]["409"]["content"]) == ["application/problem+json"]
