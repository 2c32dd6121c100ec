"""A fake registry for the answers that a real one gives on bad days only: 429, 500, slow ones, false content.

It speaks plain HTTP on a loopback port, and answers from a script: a list of steps for a path, the last one for ever.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    """The digest that content has."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Step:
    """One answer."""

    code: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stall: bool = False
    """Hold the answer back until the fake ends."""
    trickle: bool = False
    """Send one byte each 50 ms, for ever."""
    cut: bool = False
    """Promise twice the content, and end after it."""


class FakeRegistry:
    """A script of answers, and what was asked."""

    def __init__(self) -> None:
        self.steps: dict[str, list[Step]] = {"/v2/": [Step()]}
        self.asked: list[str] = []
        """``METHOD path`` of every request but the first ping."""
        self.host = ""
        self.over = threading.Event()

    def image(self, repository: str, tag: str, *, platforms: tuple[str, ...] = ("linux/amd64",)) -> str:
        """Serve an index under a tag and its digest; returns the digest."""
        parts = [dict(zip(("os", "architecture", "variant"), one.split("/"), strict=False)) for one in platforms]
        entries = [{"mediaType": MANIFEST, "digest": digest_of(b""), "size": 0, "platform": part} for part in parts]
        content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        answer = Step(content=content, headers={"Content-Type": INDEX, "Docker-Content-Digest": digest_of(content)})
        for name in (tag, digest_of(content)):
            self.steps[f"/v2/{repository}/manifests/{name}"] = [answer]
        return digest_of(content)

    def before(self, repository: str, name: str, *steps: Step) -> None:
        """Answer so before the right answer is given."""
        self.steps[f"/v2/{repository}/manifests/{name}"][:0] = steps

    def count(self, method: str, repository: str, name: str) -> int:
        """How often a manifest was asked for."""
        return self.asked.count(f"{method} /v2/{repository}/manifests/{name}")


@contextmanager
def serve() -> Iterator[FakeRegistry]:
    """Run a fake for the time of the block."""
    fake = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            fake.asked.append(f"{self.command} {self.path}")
            steps = fake.steps.get(self.path, [Step(code=404)])
            step = steps.pop(0) if len(steps) > 1 else steps[0]
            if step.stall:
                fake.over.wait(30)
                self.close_connection = True
                return
            self.send_response(step.code)
            for name, value in step.headers.items():
                self.send_header(name, value)
            length = 10_000 if step.trickle else len(step.content) * (2 if step.cut else 1)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if step.trickle:
                try:
                    while not fake.over.wait(0.05):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                except OSError:
                    self.close_connection = True
            elif self.command != "HEAD":
                self.wfile.write(step.content)
                self.close_connection = step.cut

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
