"""What runs here, so that a person can tell a new pod from an old one."""

from fastapi import APIRouter
from pydantic import BaseModel


class Version(BaseModel):
    """The answer to `GET /version`."""

    service: str
    version: str
    """Of the image: its tag; outside of one the package's version."""
    revision: str | None
    """The commit that the image was built from, `-dirty` after it for a work tree with changes."""


def version_router(*, service: str, version: str, revision: str | None) -> APIRouter:
    """`GET /version`."""
    router = APIRouter(include_in_schema=False)
    answer = Version(service=service, version=version, revision=revision)

    @router.get("/version")
    async def read_version() -> Version:
        return answer

    return router
