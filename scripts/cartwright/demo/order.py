"""An order through the shop that Argo CD deployed: over HTTP in, and read back from PostgreSQL."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from cartwright.cluster.components import TOOLS
from cartwright.cluster.kubectl import Kubectl
from cartwright.cluster.node.door import door_url
from cartwright.cluster.state import Layout, State
from cartwright.demo.stage import DemoError
from cartwright.kernel.errors import ToolError
from cartwright.kernel.output import write
from cartwright.tools import require

__all__ = ["Shop", "open_shop", "show"]

_SKU = "DEMO-MUG"
_TIMEOUT = 15.0

# Runs in a pod of catalog: only callers inside of the cluster may change products.
_STOCK = """\
import json, sys, urllib.error, urllib.request
product = json.loads(sys.argv[1])
def call(method, path, body=None):
    request = urllib.request.Request("http://127.0.0.1:8080" + path, method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=10) as answer:
        return json.load(answer)
cursor, found = "", None
while found is None and cursor is not None:
    page = call("GET", "/products?limit=100" + (f"&cursor={cursor}" if cursor else ""))
    found = next((one for one in page["items"] if one["sku"] == product["sku"]), None)
    cursor = page["next_cursor"]
if found is None:
    found = call("POST", "/products", product)
elif found["stock"] < product["stock"]:
    found = call("POST", f"/products/{found['id']}/stock-adjustments", {"delta": product["stock"]})
print(json.dumps(found))
"""

_QUERY = """\
select o.id, o.customer, o.status, o.total_amount, o.currency, l.sku, l.quantity, o.created_at
from "order" o join order_line l on l.order_id = o.id where o.id = '{order}'
"""


@dataclass(frozen=True)
class Shop:
    """The running shop, from outside and from inside."""

    url: str
    """The gateway's address on this machine."""
    kubectl: Kubectl
    """Of the cluster that it runs in."""

    def stock(self) -> dict[str, Any]:
        """The product of the demo, with something in stock, as catalog's API gives it."""
        product = {"sku": _SKU, "name": "Mug", "price": {"amount": 1450, "currency": "EUR"}, "stock": 1_000_000}
        return dict(json.loads(self._exec("shop", "deployment/catalog", "python", "-c", _STOCK, json.dumps(product))))

    def place(self, product: str, *, customer: str, quantity: int = 1, key: str | None = None) -> dict[str, Any]:
        """Place an order through the gateway; returns its answer.

        Raises:
            DemoError: the shop does not take it.
        """
        body = {"customer": customer, "lines": [{"product_id": product, "quantity": quantity}]}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        try:
            answer = httpx.post(f"{self.url}/orders", json=body, headers=headers, timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            raise DemoError(f"POST {self.url}/orders: {error}") from error
        if answer.status_code not in (200, 201):
            raise DemoError(f"POST {self.url}/orders: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def stored(self, order: str) -> list[dict[str, str]]:
        """The lines of an order as PostgreSQL holds them."""
        query = _QUERY.format(order=uuid.UUID(order))
        text = self._exec(
            "data", "pod/postgresql-0", "psql", "--username=postgres", "--dbname=orders", "--csv", f"--command={query}"
        )
        header, *rows = [line.split(",") for line in text.splitlines()]
        return [dict(zip(header, row, strict=True)) for row in rows]

    def _exec(self, namespace: str, pod: str, *command: str) -> str:
        return self.kubectl("--namespace", namespace, "exec", pod, "--", *command)


def open_shop(layout: Layout) -> Shop:
    """The shop of a running cluster.

    Raises:
        ClusterError: the cluster does not run, or all of its pods are simulated.
    """
    state = State.of_running(layout)
    return Shop(url=door_url(state), kubectl=Kubectl(require(TOOLS)["kubectl"], layout.kubeconfig(state.hub)))


def show(layout: Layout) -> None:
    """Place one order and print it from the database.

    Raises:
        ClusterError: see `open_shop`.
        DemoError: the shop does not answer as it should.
    """
    shop = open_shop(layout)
    try:
        product = shop.stock()
    except ToolError as error:
        raise DemoError(f"catalog does not answer: {error}") from error
    write(f"A pod of catalog put {product['sku']} on sale: {_money(product['price'])}, {product['stock']} in stock.")
    write(f"POST {shop.url}/orders  customer demo, 2 × {product['sku']}")
    order = shop.place(product["id"], customer="demo", quantity=2)
    write(f"  the shop answers: order {order['id']}, {order['status']}, {_money(order['total'])}")
    write("What PostgreSQL holds, asked in its own pod (data/postgresql-0, database orders):")
    (line,) = shop.stored(order["id"]) or [{}]
    for name, value in line.items():
        write(f"  {name:<13} {value}")
    if (line.get("id"), line.get("total_amount")) != (order["id"], str(order["total"]["amount"])):
        raise DemoError("PostgreSQL does not hold what the shop answered")
    answer = httpx.get(f"{shop.url}/orders/{order['id']}", timeout=_TIMEOUT)
    write(f"GET {shop.url}/orders/{order['id']}  {answer.status_code}, the same order: {answer.json() == order}")


def _money(money: dict[str, Any]) -> str:
    return f"{money['amount'] / 100:.2f} {money['currency']}"
