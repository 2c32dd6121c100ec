import asyncio
from typing import ClassVar

import pytest

from cartwright_kit import Resource


class Store(Resource):
    name: ClassVar[str] = "store"

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.events: list[str] = []

    async def open(self) -> None:
        self.events.append("open")

    async def close(self) -> None:
        self.events.append("close")

    async def check(self) -> None:
        if self.broken:
            raise ConnectionError("store:6000 refused")


class Extra(Store):
    name: ClassVar[str] = "extra"
    required: ClassVar[bool] = False


@pytest.mark.parametrize("path", ["/livez", "/startupz"])
async def test_liveness_and_start_up_ask_nothing_of_others(serve, path: str) -> None:
    async with serve(None, Store(broken=True)) as client:
        response = await client.get(path)
    assert (response.status_code, response.json()["status"]) == (200, "ok")


async def test_readiness_is_503_and_names_the_dependency_that_fails(serve) -> None:
    store = Store(broken=True)
    async with serve(None, store, Extra()) as client:
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert response.json() == {
            "status": "unavailable",
            "dependencies": {
                "store": {"status": "unavailable", "required": True},
                "extra": {"status": "ok", "required": False},
            },
        }
        assert "6000" not in response.text
        store.broken = False
        assert (await client.get("/readyz")).status_code == 200


async def test_readiness_stays_200_without_what_is_not_required(serve) -> None:
    async with serve(None, Store(), Extra(broken=True)) as client:
        response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["dependencies"]["extra"]["status"] == "unavailable"


async def test_readiness_is_503_while_the_process_drains(serve) -> None:
    async with serve(None, Store()) as client:
        client.app.state.lifecycle.draining = True
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["status"]) == (503, "draining")
        assert (await client.get("/livez")).status_code == 200


async def test_a_dependency_that_hangs_is_unavailable(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Store):
        async def check(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("cartwright_kit.health._CHECK_SECONDS", 0.01)
    async with serve(None, Hanging()) as client:
        assert (await client.get("/readyz")).status_code == 503


async def test_resources_close_in_reverse_order_after_the_last_request(serve) -> None:
    first, second = Store(), Extra()
    second.events = first.events
    async with serve(None, first, second):
        assert first.events == ["open", "open"]
    assert first.events == ["open", "open", "close", "close"]


async def test_start_up_is_503_until_resources_are_open() -> None:
    import httpx

    from cartwright_kit import ServiceSettings, create_app

    app = create_app(ServiceSettings(), service="shelf", version="1", description="", routers=[])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        assert (await client.get("/startupz")).status_code == 503
