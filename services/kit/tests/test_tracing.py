import http.server
import threading
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cartwright_kit import ServiceSettings

router = APIRouter()


@router.get("/books/{book_id}")
async def read_book(book_id: int) -> int:
    return book_id


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An OTLP collector on loopback that keeps what it is sent."""
    received: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


async def test_spans_reach_the_collector_by_the_end_of_the_application(serve, collector) -> None:
    endpoint, received = collector
    async with serve(router, settings=ServiceSettings(otel_exporter_otlp_endpoint=endpoint)) as client:
        await client.get("/books/7")
        await client.get("/livez")
    [(path, body)] = received
    assert path == "/v1/traces"
    [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
    assert {"service.name": "shelf", "service.version": "1.2.3"}.items() <= {
        attribute.key: attribute.value.string_value for attribute in resource.resource.attributes
    }.items()
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["GET /books/{book_id}"]


async def test_without_an_endpoint_nothing_is_exported_not_even_sampled_traces(
    serve, monkeypatch: pytest.MonkeyPatch, collector
) -> None:
    _, received = collector
    async with serve(router) as client:
        await client.get("/books/7", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    assert received == []
