"""Three questions about a process, kept apart: is it alive, may it get traffic, has it started."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel

from cartwright_kit.resources import Resource

_CHECK_SECONDS = 2.0
_log = structlog.stdlib.get_logger(__name__)


class Lifecycle:
    """Where the process is in its life."""

    def __init__(self) -> None:
        self.started = False
        self.draining = False


class DependencyHealth(BaseModel):
    """The state of one thing the service uses."""

    status: Literal["ok", "unavailable"]
    required: bool


class Health(BaseModel):
    """The answer to a probe."""

    status: Literal["ok", "starting", "draining", "unavailable"]
    dependencies: dict[str, DependencyHealth] = {}


def health_router(lifecycle: Lifecycle, resources: Sequence[Resource]) -> APIRouter:
    """`GET /livez`, `/readyz` and `/startupz`.

    Liveness and start-up ask nothing of others: an outage elsewhere must not become restarts here.
    Readiness answers 503 while the process drains or a required dependency fails, and names each dependency.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def read_liveness() -> Health:
        return Health(status="ok")

    @router.get("/startupz")
    async def read_startup(response: Response) -> Health:
        if not lifecycle.started:
            response.status_code = 503
            return Health(status="starting")
        return Health(status="ok")

    @router.get("/readyz")
    async def read_readiness(response: Response) -> Health:
        if lifecycle.draining:
            response.status_code = 503
            return Health(status="draining")
        checks = await asyncio.gather(*(_check(resource) for resource in resources))
        found = dict(zip((resource.name for resource in resources), checks, strict=True))
        if any(health.required and health.status != "ok" for health in checks):
            response.status_code = 503
            return Health(status="unavailable", dependencies=found)
        return Health(status="ok", dependencies=found)

    return router


async def _check(resource: Resource) -> DependencyHealth:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await resource.check()
    except Exception as error:  # any failure of a check means one thing
        _log.warning("dependency unavailable", dependency=resource.name, required=resource.required, error=repr(error))
        return DependencyHealth(status="unavailable", required=resource.required)
    return DependencyHealth(status="ok", required=resource.required)
