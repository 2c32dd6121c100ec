import pytest

from cartwright_kit import ServiceSettings


async def test_outside_of_an_image_the_packages_version_is_told(serve) -> None:
    async with serve() as client:
        response = await client.get("/version")
    assert response.json() == {"service": "shelf", "version": "1.2.3", "revision": None}


async def test_an_images_version_and_revision_are_told_and_stand_in_the_api_document(
    serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_VERSION", "1.2.3-local-0123456789ab")
    monkeypatch.setenv("SERVICE_REVISION", "54e0eef-dirty")
    async with serve(settings=ServiceSettings()) as client:
        response = await client.get("/version")
        document = (await client.get("/openapi.json")).json()
    assert response.json() == {
        "service": "shelf",
        "version": "1.2.3-local-0123456789ab",
        "revision": "54e0eef-dirty",
    }
    assert document["info"]["version"] == "1.2.3-local-0123456789ab"
    assert "/version" not in document["paths"]
