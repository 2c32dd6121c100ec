"""A real registry for tests: Debian's docker-registry on a loopback port, with TLS and a password file."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "ci", "of-the-tests-only"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "registry.crt", folder / "registry.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    """``127.0.0.1:port``."""
    certificate: Path
    """What a client has to trust; None of the usual authorities signed it."""
    docker_config: Path
    """A folder for ``DOCKER_CONFIG`` whose config.json holds user and password."""
    plain: bool = False

    def environment(self) -> dict[str, str]:
        """What a client that may read and write needs in its environment."""
        return {"DOCKER_CONFIG": str(self.docker_config), "SSL_CERT_FILE": str(self.certificate)}

    def push(self, repository: str, tag: str, *, platforms: Sequence[str] = ("linux/amd64",), text: str = "") -> str:
        """Push an image whose configuration holds ``text``; several platforms make an index. Returns its digest."""
        with self._client(repository) as client:
            manifests = [(platform, _manifest(client, platform, text)) for platform in platforms]
            if len(manifests) == 1:
                content, kind = manifests[0][1], MANIFEST
            else:
                content, kind = _index(client, manifests), INDEX
            return _put(client, tag, content, kind)

    def tag(self, repository: str, digest: str, tag: str) -> None:
        """Let a tag lead to what another one led to."""
        with self._client(repository) as client:
            answer = client.get(f"/manifests/{digest}", headers={"Accept": f"{INDEX}, {MANIFEST}"}).raise_for_status()
            _put(client, tag, answer.content, answer.headers["Content-Type"])

    def part(self, repository: str, index: str, platform: str) -> str:
        """Digest of an index's manifest for a platform."""
        with self._client(repository) as client:
            answer = client.get(f"/manifests/{index}", headers={"Accept": INDEX}).raise_for_status()
        found = [one["digest"] for one in answer.json()["manifests"] if _spell(one["platform"]) == platform]
        return str(found[0])

    def _client(self, repository: str) -> httpx.Client:
        import ssl

        return httpx.Client(
            base_url=f"{'http' if self.plain else 'https'}://{self.host}/v2/{repository}",
            auth=None if self.plain else (USER, PASSWORD),
            verify=ssl.create_default_context(cafile=str(self.certificate)),
            trust_env=False,
        )


def _manifest(client: httpx.Client, platform: str, text: str) -> bytes:
    layer = _blob(client, f"content of {platform} {text}".encode())
    os, architecture, *variant = platform.split("/")
    config = {"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    config |= {"variant": variant[0]} if variant else {}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **_blob(client, json.dumps(config).encode())},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
        }
    ).encode()


def _index(client: httpx.Client, manifests: Sequence[tuple[str, bytes]]) -> bytes:
    entries = []
    for platform, content in manifests:
        digest = _put(client, _digest(content), content, MANIFEST)
        os, architecture, *variant = platform.split("/")
        place = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": len(content), "platform": place})
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


def _spell(platform: dict[str, str]) -> str:
    return "/".join(platform[key] for key in ("os", "architecture", "variant") if key in platform)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _blob(client: httpx.Client, content: bytes) -> dict[str, object]:
    place = client.post("/blobs/uploads/").raise_for_status().headers["Location"]
    client.put(
        httpx.URL(place).copy_merge_params({"digest": _digest(content)}),
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    ).raise_for_status()
    return {"digest": _digest(content), "size": len(content)}


def _put(client: httpx.Client, reference: str, content: bytes, kind: str) -> str:
    client.put(f"/manifests/{reference}", content=content, headers={"Content-Type": kind}).raise_for_status()
    return _digest(content)


def serve_registry(folder: Path, *, plain: bool, extra: str = "") -> Iterator[Registry]:
    """Run a registry until the iterator is closed; its content is in ``folder / "data"``.

    Args:
        folder: for all that it writes.
        plain: without TLS and without a password.
        extra: further lines of its configuration.
    """
    certificate, key = write_certificate(folder)
    port = free_port()
    host = f"127.0.0.1:{port}"
    secured = f"""
  tls: {{certificate: {certificate}, key: {key}}}
auth:
  htpasswd: {{realm: tests, path: {folder / "htpasswd"}}}
"""
    (folder / "htpasswd").write_bytes(f"{USER}:".encode() + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)) + b"\n")
    (folder / "config.yml").write_text(f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder / "data"}}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http:
  addr: {host}
  secret: of-the-tests-only{"" if plain else secured}
{extra}
""")
    docker = folder / "docker"
    docker.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (docker / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _await(port, process, folder / "log")
        yield Registry(host=host, certificate=certificate, docker_config=docker, plain=plain)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"the registry did not start:\n{log.read_text()}")
