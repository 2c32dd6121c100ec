import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cartwright_kit.testing import client_of
from orders.app import create_app
from orders.settings import Settings

if TYPE_CHECKING:
    from .conftest import FakeCatalog


async def place(
    client: httpx.AsyncClient, *lines: tuple[str, int], key: str = "k-1", customer: str = "ada"
) -> httpx.Response:
    body = {"customer": customer, "lines": [{"product_id": product, "quantity": count} for product, count in lines]}
    return await client.post("/orders", json=body, headers={"Idempotency-Key": key})


async def placed(
    client: httpx.AsyncClient, *lines: tuple[str, int], key: str = "k-1", customer: str = "ada"
) -> dict[str, Any]:
    response = await place(client, *lines, key=key, customer=customer)
    assert response.status_code == 201, response.text
    return response.json()


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and the tail of the problem type, once the body is seen to be a problem document."""
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    return response.status_code, document["type"].removeprefix("urn:cartwright:problem:")


class TestPlace:
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"lines": []}, "/lines", id="no lines"),
            pytest.param({"customer": "a b"}, "/customer", id="customer with a space"),
            pytest.param({"total": 1}, "/total", id="price said by the client"),
            pytest.param({"lines": [{"product_id": "7", "quantity": 1}]}, "/lines/0/product_id", id="no product id"),
            pytest.param(
                {"lines": [{"product_id": str(uuid.UUID(int=1)), "quantity": 0}]}, "/lines/0/quantity", id="none"
            ),
            pytest.param(
                {"lines": [{"product_id": str(uuid.UUID(int=1)), "quantity": 1.5}]}, "/lines/0/quantity", id="half"
            ),
            pytest.param({"lines": [{"product_id": str(uuid.UUID(int=1)), "quantity": 1}] * 2}, "", id="product twice"),
        ],
    )
    async def test_refuses_what_is_not_an_order_and_says_where(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog", body: dict[str, Any], pointer: str
    ) -> None:
        whole = {"customer": "ada", "lines": [{"product_id": str(uuid.uuid4()), "quantity": 1}]} | body
        response = await client.post("/orders", json=whole, headers={"Idempotency-Key": "k"})
        assert problem(response) == (422, "validation")
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
        assert catalog.requests == []

    @pytest.mark.parametrize(
        "headers", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a b"}], ids=["none", "empty", "space"]
    )
    async def test_needs_an_idempotency_key(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog", headers: dict[str, str]
    ) -> None:
        body = {"customer": "ada", "lines": [{"product_id": catalog.add(), "quantity": 1}]}
        response = await client.post("/orders", json=body, headers=headers)
        assert problem(response) == (422, "validation")
        assert response.json()["errors"][0]["location"] == "header"
        assert response.json()["errors"][0]["pointer"] == "/Idempotency-Key"

    async def test_refuses_products_that_catalog_does_not_have(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        unknown = str(uuid.uuid4())
        response = await place(client, (catalog.add(), 1), (unknown, 1))
        assert problem(response) == (422, "products-unknown")
        assert response.json()["products"] == [unknown]

    async def test_refuses_more_than_is_in_stock(self, client: httpx.AsyncClient, catalog: "FakeCatalog") -> None:
        scarce = catalog.add(stock=2)
        response = await place(client, (catalog.add(), 1), (scarce, 3))
        assert problem(response) == (409, "out-of-stock")
        assert response.json()["products"] == [scarce]

    async def test_refuses_products_of_two_currencies(self, client: httpx.AsyncClient, catalog: "FakeCatalog") -> None:
        response = await place(client, (catalog.add(), 1), (catalog.add(currency="JPY"), 1))
        assert problem(response) == (422, "currencies-mixed")

    async def test_a_refused_order_is_not_stored_and_its_key_stays_free(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        product = catalog.add(stock=0)
        assert (await place(client, (product, 1))).status_code == 409
        catalog.products[product]["stock"] = 1
        assert (await place(client, (product, 1))).status_code == 201
        assert len((await client.get("/orders")).json()["items"]) == 1

    async def test_prices_each_line_by_the_catalog_and_sums_exactly(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        first, second = catalog.add(amount=1999), catalog.add(amount=10**12)
        response = await place(client, (first, 3), (second, 10))
        assert response.status_code == 201
        order = response.json()
        assert response.headers["Location"] == f"/orders/{order['id']}"
        assert order["status"] == "placed"
        assert order["total"] == {"amount": 3 * 1999 + 10 * 10**12, "currency": "EUR"}
        assert [(line["product_id"], line["quantity"], line["price"]["amount"]) for line in order["lines"]] == [
            (first, 3, 1999),
            (second, 10, 10**12),
        ]
        assert (await client.get(response.headers["Location"])).json() == order

    async def test_keeps_the_price_of_the_moment(self, client: httpx.AsyncClient, catalog: "FakeCatalog") -> None:
        product = catalog.add(amount=100)
        order = await placed(client, (product, 1))
        catalog.products[product]["price"]["amount"] = 200
        assert (await client.get(f"/orders/{order['id']}")).json()["total"]["amount"] == 100


class TestIdempotency:
    async def test_a_repetition_answers_with_the_first_order_and_asks_nobody(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        product = catalog.add()
        order = await placed(client, (product, 1))
        asked = len(catalog.requests)
        catalog.products[product]["price"]["amount"] = 1
        repeated = await place(client, (product, 1))
        assert repeated.status_code == 200
        assert repeated.json() == order
        assert repeated.headers["Location"] == f"/orders/{order['id']}"
        assert len(catalog.requests) == asked

    async def test_a_key_does_not_serve_for_another_order(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        product = catalog.add()
        await placed(client, (product, 1))
        assert problem(await place(client, (product, 2))) == (422, "idempotency-key-reused")

    async def test_keys_of_two_customers_do_not_meet(self, client: httpx.AsyncClient, catalog: "FakeCatalog") -> None:
        product = catalog.add()
        first = await placed(client, (product, 1), customer="ada")
        second = await placed(client, (product, 1), customer="bob")
        assert first["id"] != second["id"]

    async def test_of_many_at_once_one_places_and_all_get_the_same_order(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        product = catalog.add()
        responses = await asyncio.gather(*(place(client, (product, 1)) for _ in range(6)))
        assert sorted(response.status_code for response in responses) == [200] * 5 + [201]
        assert len({response.json()["id"] for response in responses}) == 1
        assert len((await client.get("/orders")).json()["items"]) == 1


class TestCatalogFailure:
    @pytest.mark.parametrize(
        ("failure", "expected", "attempts"),
        [
            pytest.param(httpx.ConnectError("refused"), (503, "upstream-unavailable"), 3, id="not reachable"),
            pytest.param(httpx.Response(503), (503, "upstream-unavailable"), 3, id="unavailable"),
            pytest.param(httpx.ReadError("reset"), (502, "upstream-failed"), 3, id="connection broken"),
            pytest.param(httpx.Response(500), (502, "upstream-failed"), 1, id="failing"),
            pytest.param(httpx.Response(200, json={"id": "?"}), (502, "upstream-failed"), 1, id="another shape"),
            pytest.param(httpx.Response(200, text="<html>"), (502, "upstream-failed"), 1, id="not JSON"),
            pytest.param(httpx.Response(403, json={}), (502, "upstream-failed"), 1, id="refusing orders itself"),
            pytest.param(httpx.ReadTimeout("slow"), (504, "upstream-timeout"), 1, id="slow"),
        ],
    )
    async def test_is_a_problem_of_its_own_kind_and_places_nothing(
        self,
        client: httpx.AsyncClient,
        catalog: "FakeCatalog",
        failure: httpx.Response | Exception,
        expected: tuple[int, str],
        attempts: int,
    ) -> None:
        product = catalog.add()
        catalog.failure = failure
        assert problem(await place(client, (product, 1))) == expected
        assert len(catalog.requests) == attempts
        catalog.failure = None
        assert (await client.get("/orders")).json()["items"] == []

    async def test_leaves_the_service_ready_and_orders_readable(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        order = await placed(client, (catalog.add(), 1))
        catalog.failure = httpx.ConnectError("refused")
        readiness = await client.get("/readyz")
        assert readiness.status_code == 200
        assert readiness.json()["dependencies"]["catalog"] == {"status": "unavailable", "required": False}
        assert (await client.get(f"/orders/{order['id']}")).status_code == 200


class TestRead:
    async def test_of_an_unknown_id_is_not_found(self, client: httpx.AsyncClient) -> None:
        assert problem(await client.get(f"/orders/{uuid.uuid4()}")) == (404, "order-not-found")


class TestList:
    async def test_refuses_a_status_that_does_not_exist(self, client: httpx.AsyncClient) -> None:
        assert problem(await client.get("/orders", params={"status": "lost"})) == (422, "validation")

    async def test_filters_and_pages_together(self, client: httpx.AsyncClient, catalog: "FakeCatalog") -> None:
        product = catalog.add()
        expected = []
        for number in range(6):
            order = await placed(client, (product, 1), key=str(number), customer="ada" if number % 2 else "bob")
            if number % 2:
                expected.append(order["id"])
        cancelled = await client.put(f"/orders/{expected[0]}/status", json={"status": "cancelled"})
        assert cancelled.status_code == 200
        query = {"customer": "ada", "status": "placed", "limit": "1"}
        first = (await client.get("/orders", params=query)).json()
        second = (await client.get("/orders", params=query | {"cursor": first["next_cursor"]})).json()
        assert [order["id"] for order in first["items"] + second["items"]] == expected[1:]
        assert second["next_cursor"] is None


class TestStatus:
    async def test_of_an_unknown_order_is_not_found(self, client: httpx.AsyncClient) -> None:
        response = await client.put(f"/orders/{uuid.uuid4()}/status", json={"status": "paid"})
        assert problem(response) == (404, "order-not-found")

    @pytest.mark.parametrize(
        ("path", "refused", "possible"),
        [
            pytest.param([], "shipped", ["cancelled", "paid"], id="shipped before it is paid"),
            pytest.param(["paid"], "placed", ["cancelled", "shipped"], id="back to placed"),
            pytest.param(["cancelled"], "paid", [], id="paid after it was cancelled"),
            pytest.param(["paid", "shipped"], "cancelled", [], id="cancelled after it was shipped"),
        ],
    )
    async def test_refuses_a_transition_that_is_not_one(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog", path: list[str], refused: str, possible: list[str]
    ) -> None:
        order = await placed(client, (catalog.add(), 1))
        place = f"/orders/{order['id']}"
        for status in path:
            assert (await client.put(f"{place}/status", json={"status": status})).json()["status"] == status
        response = await client.put(f"{place}/status", json={"status": refused})
        assert problem(response) == (409, "transition-refused")
        assert response.json()["possible"] == possible
        assert (await client.get(place)).json()["status"] == (path[-1] if path else "placed")

    async def test_to_the_state_it_is_in_changes_nothing(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        order = await placed(client, (catalog.add(), 1))
        response = await client.put(f"/orders/{order['id']}/status", json={"status": "placed"})
        assert (response.status_code, response.json()) == (200, order)

    async def test_of_two_different_changes_at_once_one_is_refused(
        self, client: httpx.AsyncClient, catalog: "FakeCatalog"
    ) -> None:
        order = await placed(client, (catalog.add(), 1))
        path = f"/orders/{order['id']}/status"
        await client.put(path, json={"status": "paid"})
        responses = await asyncio.gather(*(client.put(path, json={"status": to}) for to in ("shipped", "cancelled")))
        assert sorted(response.status_code for response in responses) == [200, 409]


async def test_no_connection_of_the_pool_is_held_while_catalog_is_asked(
    settings: Settings, catalog: "FakeCatalog"
) -> None:
    product = catalog.add()
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/livez":
            waiting.set()
            await go_on.wait()
        return catalog(request)

    one = settings.model_copy(
        update={"database_pool_size": 1, "database_pool_overflow": 0, "database_timeout_seconds": 0.5}
    )
    async with client_of(create_app(one, transport=httpx.MockTransport(slow))) as client:
        order = asyncio.create_task(place(client, (product, 1)))
        await waiting.wait()
        assert (await client.get("/orders")).status_code == 200
        go_on.set()
        assert (await order).status_code == 201


async def test_the_request_and_trace_ids_reach_catalog(client: httpx.AsyncClient, catalog: "FakeCatalog") -> None:
    body = {"customer": "ada", "lines": [{"product_id": catalog.add(), "quantity": 1}]}
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"Idempotency-Key": "k", "X-Request-ID": "r-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    response = await client.post(
        "/orders", content=json.dumps(body), headers=headers | {"Content-Type": "application/json"}
    )
    assert response.headers["X-Request-ID"] == "r-1"
    [request] = catalog.requests
    assert request.headers["X-Request-ID"] == "r-1"
    assert request.headers["traceparent"].split("-")[1] == trace
    assert request.headers["traceparent"].split("-")[2] != "00f067aa0ba902b7"
