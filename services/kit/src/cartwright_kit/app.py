"""The application factory that every service's own factory calls."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI

from cartwright_kit.errors import VALIDATION_RESPONSE, ProblemDocument, install_handlers
from cartwright_kit.health import Lifecycle, health_router
from cartwright_kit.metrics import Metrics, metrics_router
from cartwright_kit.middleware import QUIET_PATHS, BodyLimitMiddleware, RequestMiddleware
from cartwright_kit.resources import Resource, Runtime
from cartwright_kit.settings import ServiceSettings
from cartwright_kit.tracing import create_tracer_provider
from cartwright_kit.version import version_router


def create_app(
    settings: ServiceSettings,
    *,
    service: str,
    version: str,
    description: str,
    routers: Sequence[APIRouter],
    resources: Sequence[Resource] = (),
) -> FastAPI:
    """An application with health, version, metrics, traces, logs and problem documents around the given routers.

    The version is the package's own; that of the image, where there is one, comes before it.
    Resources are opened in order before the first request and closed in reverse after the last one. Nothing
    connects, and no global state changes, while the application is built.
    """
    version = settings.service_version or version
    metrics = Metrics()
    lifecycle = Lifecycle()
    provider = create_tracer_provider(service=service, version=version, endpoint=settings.otel_exporter_otlp_endpoint)
    runtime = Runtime(service=service, metrics=metrics, tracer_provider=provider)
    for opened in resources:
        opened.bind(runtime)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(run_sync, provider.shutdown)
            for opened in resources:
                await opened.open()
                stack.push_async_callback(opened.close)
            lifecycle.started = True
            yield

    app = FastAPI(
        title=f"Cartwright {service}",
        version=version,
        description=description,
        lifespan=lifespan,
        # A path with a slash too many is unknown, rather than a redirect that loses the request's body.
        redirect_slashes=False,
        responses=VALIDATION_RESPONSE,
        telemetry={
            "tracer_provider": provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"] in QUIET_PATHS,
        },
    )
    app.state.lifecycle = lifecycle
    app.state.resources = tuple(resources)
    install_handlers(app)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    app.add_middleware(RequestMiddleware, metrics=metrics)
    app.include_router(health_router(lifecycle, resources))
    app.include_router(version_router(service=service, version=version, revision=settings.service_revision))
    app.include_router(metrics_router(metrics))
    for router in routers:
        app.include_router(router)
    _document_problems(app)
    return app


def _document_problems(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, object]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if ProblemDocument.__name__ not in schemas:
            own = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(own.pop("$defs", {}))
            schemas[ProblemDocument.__name__] = own
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
