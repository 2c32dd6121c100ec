"""OpenTelemetry: trace ids always, export only where a collector is named."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased


def create_tracer_provider(*, service: str, version: str, endpoint: str | None) -> TracerProvider:
    """A provider of this service's own, so that two applications in one process keep their traces apart.

    Without an endpoint no exporter is created and no trace starts sampled; spans still have ids, which logs
    carry and outgoing calls pass on, and a caller's decision to sample reaches the services behind this one.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.version": version}),
        sampler=ParentBased(root=ALWAYS_ON if endpoint else ALWAYS_OFF),
        shutdown_on_exit=False,  # the application's lifespan ends it, after the last request
    )
    if endpoint:
        # Imported here: the exporter costs a tenth of a second at start-up that nobody without a collector owes.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    return provider
