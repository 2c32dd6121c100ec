"""Requests to the running shop while something happens to it: how many there were, and how many failed."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from cartwright.demo.order import Shop

__all__ = ["Load"]

_PAUSE_SECONDS = 0.05
_WRITES = 4
"""Every so manieth request places an order; the others read."""


@dataclass
class Load:
    """A thread of requests through the door for the time of a ``with`` block, each on a connection of its own."""

    shop: Shop
    product: str
    """What is ordered."""
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    """What came in place of an answer, and answers with a code of 400 and above."""
    orders: list[str] = field(default_factory=list)
    """Ids of the orders that the shop acknowledged."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __str__(self) -> str:
        return f"{self.sent} requests, {len(self.orders)} orders among them, {len(self.failures)} failed"

    def _run(self) -> None:
        with httpx.Client(base_url=self.shop.url, timeout=15, limits=httpx.Limits(max_keepalive_connections=0)) as http:
            while not self._stop.wait(_PAUSE_SECONDS):
                self.sent += 1
                writes = self.sent % _WRITES == 0
                try:
                    answer = self._order(http) if writes else http.get("/orders", params={"limit": 1})
                except httpx.HTTPError as problem:
                    self.failures.append(repr(problem))
                    continue
                if answer.status_code >= 400:
                    self.failures.append(f"{answer.request.method} {answer.status_code} {answer.text[:200]}")
                elif writes:
                    self.orders.append(answer.json()["id"])

    def _order(self, http: httpx.Client) -> httpx.Response:
        body = {"customer": "load", "lines": [{"product_id": self.product, "quantity": 1}]}
        return http.post("/orders", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
