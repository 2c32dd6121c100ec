import json
import signal
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cartwright_kit.testing import ServiceProcess

if TYPE_CHECKING:
    from .conftest import Shop

pytestmark = pytest.mark.services
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def customer() -> str:
    """A customer that no other test has."""
    return f"ada-{uuid.uuid4().hex}"


def place(shop: "Shop", customer: str, product: dict[str, Any], *, key: str = "k-1") -> httpx.Response:
    """Order two pieces, under the customer's name as request id."""
    return httpx.post(
        f"{shop.gateway.url}/orders",
        json={"customer": customer, "lines": [{"product_id": product["id"], "quantity": 2}]},
        headers={"Idempotency-Key": key, "X-Request-ID": customer, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        timeout=30,
    )


def lines(process: ServiceProcess, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in process.log.read_text().splitlines()]
    return [line for line in found if line["event"] == event]


def test_an_order_goes_through_gateway_orders_and_catalog_under_one_id(shop: "Shop", customer: str) -> None:
    product = shop.add_product()
    response = place(shop, customer, product)
    assert response.status_code == 201, response.text
    order = response.json()
    assert order["total"] == {"amount": 2500, "currency": "EUR"}
    assert response.headers["X-Request-ID"] == customer
    assert httpx.get(f"{shop.gateway.url}{response.headers['Location']}").json() == order
    for process, route in (
        (shop.gateway, "/orders"),
        (shop.orders, "/orders"),
        (shop.catalog, "/products/{product_id}"),
    ):
        seen = [
            (line["route"], line["trace_id"]) for line in lines(process, "request") if line["request_id"] == customer
        ]
        assert seen == [(route, TRACE)]


def test_an_order_is_paid_shipped_and_then_final(shop: "Shop", customer: str) -> None:
    order = place(shop, customer, shop.add_product()).json()
    path = f"{shop.gateway.url}/orders/{order['id']}/status"
    statuses = [httpx.put(path, json={"status": status}).status_code for status in ("paid", "shipped", "cancelled")]
    assert statuses == [200, 200, 409]


def test_a_repeated_order_is_placed_once(shop: "Shop", customer: str) -> None:
    product = shop.add_product()
    first, second = place(shop, customer, product), place(shop, customer, product)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert len(httpx.get(f"{shop.gateway.url}/orders", params={"customer": customer}).json()["items"]) == 1


def test_a_problem_of_orders_reaches_the_client_as_it_is(shop: "Shop", customer: str) -> None:
    response = place(shop, customer, shop.add_product(stock=1))
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "urn:cartwright:problem:out-of-stock"
    assert (response.json()["request_id"], response.json()["trace_id"]) == (customer, TRACE)


def test_without_catalog_orders_are_refused_and_the_rest_goes_on(own_shop: "Shop", customer: str) -> None:
    product = own_shop.add_product()
    order = place(own_shop, customer, product).json()
    own_shop.catalog.signal(signal.SIGTERM)
    assert own_shop.catalog.wait() == 0
    refused = place(own_shop, customer, product, key="k-2")
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:cartwright:problem:upstream-unavailable")
    assert httpx.get(f"{own_shop.gateway.url}/orders/{order['id']}").status_code == 200
    products = httpx.get(f"{own_shop.gateway.url}/products")
    assert (products.status_code, products.headers["Content-Type"]) == (503, "application/problem+json")
    for process in (own_shop.orders, own_shop.gateway):
        assert httpx.get(f"{process.url}/readyz").status_code == 200


def test_a_hanging_catalog_is_a_504_in_bounded_time(shop: "Shop", customer: str) -> None:
    product = shop.add_product()
    shop.catalog.signal(signal.SIGSTOP)
    try:
        response = place(shop, customer, product)
    finally:
        shop.catalog.signal(signal.SIGCONT)
    assert (response.status_code, response.json()["type"]) == (504, "urn:cartwright:problem:upstream-timeout")
    assert response.elapsed.total_seconds() < 10


def stock_becomes(shop: "Shop", product: dict[str, Any], stock: int) -> None:
    """Wait for catalog's figure."""
    shop.catalog.wait_until(lambda: httpx.get(f"{shop.catalog.url}/products/{product['id']}").json()["stock"] == stock)


def test_a_placed_order_takes_its_pieces_from_the_stock_and_a_cancelled_one_returns_them(
    shop: "Shop", customer: str
) -> None:
    product = shop.add_product(stock=10)
    order = place(shop, customer, product).json()
    stock_becomes(shop, product, 8)
    (handled,) = (line for line in lines(shop.catalog, "event handled") if line["subject"] == order["id"])
    assert (handled["type"], handled["request_id"], handled["trace_id"]) == ("order.placed", customer, TRACE)
    answer = httpx.put(f"{shop.gateway.url}/orders/{order['id']}/status", json={"status": "cancelled"})
    assert answer.status_code == 200
    stock_becomes(shop, product, 10)


def test_orders_go_on_while_rabbitmq_is_dead_and_each_reaches_the_stock_once_it_is_back(
    own_shop: "Shop", customer: str
) -> None:
    product = own_shop.add_product(stock=100)
    assert place(own_shop, customer, product, key="before").status_code == 201
    stock_becomes(own_shop, product, 98)
    own_shop.rabbitmq.kill()
    try:
        for number in range(10):
            response = place(own_shop, customer, product, key=f"during-{number}")
            assert response.status_code == 201, response.text
        for process in (own_shop.orders, own_shop.catalog):
            health = httpx.get(f"{process.url}/readyz")
            assert health.status_code == 200
            assert health.json()["dependencies"]["rabbitmq"]["status"] == "unavailable"
    finally:
        own_shop.rabbitmq.start()
    assert place(own_shop, customer, product, key="after").status_code == 201
    stock_becomes(own_shop, product, 76)
    handled = [line["event_id"] for line in lines(own_shop.catalog, "event handled")]
    assert len(set(handled)) == 12
