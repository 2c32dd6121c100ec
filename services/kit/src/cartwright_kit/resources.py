"""What an application opens at start and closes at its end: a database, a client, a cache."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from fastapi import Request
from opentelemetry.sdk.trace import TracerProvider

from cartwright_kit.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What the application gives to its resources."""

    service: str
    """Name of the service, as in its metrics, traces and user agent."""
    metrics: Metrics
    tracer_provider: TracerProvider


class Resource:
    """Something with a life as long as the application's. Nothing connects before `open`."""

    name: ClassVar[str] = "resource"
    """How readiness names this dependency."""
    required: ClassVar[bool] = True
    """Whether the service is not ready while `check` fails."""

    def bind(self, runtime: Runtime) -> None:
        """Called once, while the application is built: register metrics, keep what `open` needs."""

    async def open(self) -> None:
        """Called before the first request. A dependency that is down is no reason to fail here."""

    async def close(self) -> None:
        """Called after the last request."""

    async def check(self) -> None:
        """Raise if the dependency cannot be used now. Readiness asks this, liveness never does."""


ResourceT = TypeVar("ResourceT", bound=Resource)


def resource(kind: type[ResourceT]) -> Callable[[Request], Awaitable[ResourceT]]:
    """A FastAPI dependency that yields the application's resource of this kind.

    Example: `Catalog = Annotated[CatalogClient, Depends(resource(CatalogClient))]`
    """

    async def find(request: Request) -> ResourceT:  # a plain function would cost a thread for each request
        return next(found for found in request.app.state.resources if isinstance(found, kind))

    return find
