"""Manifests of images, read by their digest and hashed here, so that nothing can hand out another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cartwright.registry.api import Api
from cartwright.registry.contents import digest_of
from cartwright.registry.errors import RegistryError

__all__ = ["ACCEPTED", "objects", "parse_manifest", "platform_name", "read_config", "read_manifest", "suits"]

ACCEPTED = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""Media types of indexes and manifests, those of OCI and of Docker."""


def read_manifest(api: Api, digest: str) -> Mapping[str, Any]:
    """A manifest or an index.

    Raises:
        RegistryError: it is not there, is another content, or is not a JSON object.
    """
    answer = api.ask("GET", f"manifests/{digest}", accept=ACCEPTED, missing=f"nothing with {digest}")
    if digest_of(answer.content) != digest:
        raise RegistryError(
            "wrong-digest",
            f"{api.image}: the registry answered {digest} with content that hashes to {digest_of(answer.content)}",
        )
    return parse_manifest(api, answer.content)


def parse_manifest(api: Api, content: bytes) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        RegistryError: it is none.
    """
    try:
        data = json.loads(content)
    except ValueError as error:
        raise RegistryError(
            "no-image", f"{api.image}: the registry answered with something that is not JSON"
        ) from error
    if not isinstance(data, dict):
        raise RegistryError("no-image", f"{api.image}: is not a container image that can run")
    return data


def read_config(api: Api, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of a single image.

    Raises:
        RegistryError: the manifest names none, or it is not there or another content.
    """
    config = manifest.get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    if not isinstance(digest, str):
        raise RegistryError("no-image", f"{api.image}: is not a container image that can run")
    answer = api.ask("GET", f"blobs/{digest}", accept=(), missing=f"no configuration {digest}")
    if digest_of(answer.content) != digest:
        raise RegistryError("wrong-digest", f"{api.image}: its configuration does not hash to {digest}")
    return parse_manifest(api, answer.content)


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a JSON list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def platform_name(entry: object) -> str:
    """``os/architecture`` or ``os/architecture/variant`` of an index's entry or of a configuration; else empty."""
    if not isinstance(entry, dict) or not entry.get("os") or not entry.get("architecture"):
        return ""
    return "/".join(str(entry[key]) for key in ("os", "architecture", "variant") if entry.get(key))


def suits(found: str, wanted: str) -> bool:
    """Whether an image for one platform runs on another; a variant that is not asked for does not matter."""
    return found == wanted or found.startswith(f"{wanted}/")
