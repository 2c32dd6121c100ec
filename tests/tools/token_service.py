"""A token service as public registries have one: a registry sends clients to it, and it says what each may do."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.promotion.registry_server import PASSWORD, USER, write_certificate


@dataclass
class TokenService:
    """A running service, and the actions that it was asked for, such as ``pull,push``."""

    realm: str
    certificate: Path
    asked: list[str] = field(default_factory=list)

    def configuration(self) -> str:
        """What a registry has to be told to send clients here."""
        settings = f"realm: {self.realm}, service: tests, issuer: tests, rootcertbundle: {self.certificate}"
        return f"auth:\n  token: {{{settings}}}"


@contextmanager
def serve(folder: Path) -> Iterator[TokenService]:
    """Grant each user of the tests what they ask for, and nothing to others."""
    certificate, key = write_certificate(folder)
    chain = [base64.b64encode(ssl.PEM_cert_to_DER_cert(certificate.read_text())).decode()]
    known = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            # The registry names the actions in no order of its own.
            service.asked += [",".join(sorted(one.rpartition(":")[2].split(","))) for one in scopes]
            if self.headers.get("Authorization") != known:
                self.send_error(401)
                return
            access = [dict(zip(("type", "name", "actions"), one.split(":"), strict=True)) for one in scopes]
            now = int(time.time())
            claims = {
                "iss": "tests",
                "aud": "tests",
                "sub": USER,
                "nbf": now - 10,
                "exp": now + 60,
                "access": [one | {"actions": one["actions"].split(",")} for one in access],
            }
            token = jwt.encode(claims, key.read_text(), algorithm="ES256", headers={"x5c": chain})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"token": token}).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = TokenService(realm=f"http://127.0.0.1:{server.server_address[1]}/token", certificate=certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
