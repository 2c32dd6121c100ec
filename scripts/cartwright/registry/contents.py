"""Contents of a repository by their digest: blobs of any size, and manifests. What is read is hashed before use."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cartwright.registry.api import Api
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import DIGEST

if TYPE_CHECKING:
    import requests

__all__ = ["EMPTY", "INDEX", "MANIFEST", "Blob", "digest_of", "download", "put_manifest", "read_manifest", "upload"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A content by what it must be."""

    digest: str
    """``sha256:`` and 64 hexadecimal digits."""
    size: int
    """In bytes."""

    @classmethod
    def of(cls, file: Path) -> Blob:
        """The blob that a file is."""
        total, size = hashlib.sha256(), 0
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                total.update(piece)
                size += len(piece)
        return cls(f"sha256:{total.hexdigest()}", size)

    @classmethod
    def read(cls, descriptor: object) -> Blob | None:
        """The blob that a manifest describes; None if it does not describe one."""
        if not isinstance(descriptor, dict):
            return None
        digest, size = descriptor.get("digest"), descriptor.get("size")
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest) or type(size) is not int or size < 0:
            return None
        return cls(digest, size)

    def describe(self, kind: str) -> dict[str, object]:
        """What a manifest says of it."""
        return {"mediaType": kind, "digest": self.digest, "size": self.size}


def digest_of(content: bytes) -> str:
    """The digest of a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


EMPTY = Blob(digest_of(b"{}"), 2)
"""The configuration of an artifact that has none: an empty JSON object."""


def read_manifest(api: Api, name: str, *, missing: str) -> tuple[Blob, dict[str, Any]]:
    """A manifest or an index, by tag or digest: what it is, and what it says.

    Raises:
        RegistryError: it is not there, does not hash to its digest, or is not a JSON object.
    """
    answer = api.ask("GET", f"manifests/{name}", accept=(INDEX, MANIFEST), missing=missing)
    digest = digest_of(answer.content)
    for said in (name if DIGEST.fullmatch(name) else None, answer.digest):
        if said and said != digest:
            raise RegistryError(
                "wrong-digest", f"{api.image}: the registry answered {said} with content that hashes to {digest}"
            )
    try:
        content = json.loads(answer.content)
    except ValueError as error:
        raise RegistryError("no-image", f"{api.image}: {name} is not JSON") from error
    if not isinstance(content, dict):
        raise RegistryError("no-image", f"{api.image}: {name} is not a manifest")
    return Blob(digest, len(answer.content)), content


def put_manifest(api: Api, name: str, content: dict[str, Any], *, kind: str) -> Blob:
    """Store a manifest or an index under a tag.

    Raises:
        RegistryError: the registry does not take it.
    """
    body = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    headers = {"Content-Type": kind}

    def once() -> None:
        api.request(
            "PUT", f"manifests/{name}", take=_nothing, headers=headers, body=body, missing="no such place", expect=201
        )

    api.patiently(once)
    return Blob(digest_of(body), len(body))


def download(api: Api, blob: Blob, target: Path) -> None:
    """Write a blob into a file, which is complete and has the blob's digest when this returns.

    Raises:
        RegistryError: it is not there, breaks off, or is another content: the file must then not be used.
    """

    def take(response: requests.Response) -> None:
        total, size = hashlib.sha256(), 0
        with target.open("wb") as file:
            for piece in api.chunks(response):
                size += len(piece)
                if size > blob.size:
                    break
                total.update(piece)
                file.write(piece)
        found = f"sha256:{total.hexdigest()}"
        if size > blob.size:
            raise _other(api, blob, f"is longer than its {blob.size} bytes")
        if size < blob.size:
            raise _other(api, blob, f"has {size} bytes instead of {blob.size}")
        if found != blob.digest:
            raise _other(api, blob, f"hashes to {found}")

    api.patiently(lambda: api.request("GET", f"blobs/{blob.digest}", take=take, missing=f"no content {blob.digest}"))


def upload(api: Api, blob: Blob, content: Path | bytes) -> bool:
    """Store a blob where it is not there yet; returns whether it was sent.

    Raises:
        RegistryError: the registry does not take it.
    """
    try:
        api.ask("HEAD", f"blobs/{blob.digest}", accept=(), missing="")
    except RegistryError as error:
        if error.code != "not-found":
            raise
    else:
        return False

    def place(response: requests.Response) -> str:
        return str(response.headers.get("Location", ""))

    def once() -> None:
        begun = api.request("POST", "blobs/uploads/", take=place, missing="no such repository", expect=202)
        put = f"{begun}{'&' if '?' in begun else '?'}{urlencode({'digest': blob.digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        if isinstance(content, bytes):
            api.request("PUT", put, take=_nothing, headers=headers, body=content, missing="no upload", expect=201)
            return
        with content.open("rb") as file:
            api.request("PUT", put, take=_nothing, headers=headers, body=file, missing="no upload", expect=201)

    api.patiently(once)
    return True


def _other(api: Api, blob: Blob, what: str) -> RegistryError:
    return RegistryError("wrong-digest", f"{api.image}: what the registry answered for {blob.digest} {what}")


def _nothing(response: requests.Response) -> None:
    """Nothing of an answer but its code is wanted."""
