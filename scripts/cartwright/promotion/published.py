"""What a registry says of an image: the digest behind a tag, and the platforms that it was built for.

A manifest is read by its digest and hashed here, so that neither a cache nor a registry can hand out another one. The
digest of an index is what gets pinned: each node picks its own platform from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cartwright.registry.api import DEFAULT_LIMITS, Api, Limits
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import Reference, parse_reference

__all__ = ["DEFAULT_PLATFORMS", "Limits", "RegistryError", "Resolved", "confirm", "resolve", "resolve_all"]

DEFAULT_PLATFORMS = ("linux/amd64",)
"""What an environment runs on that does not say ``gates.platforms``."""
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_AT_ONCE = 8


@dataclass(frozen=True)
class Resolved:
    """An image as a registry holds it."""

    reference: Reference
    """What was asked for."""
    digest: str
    """Digest of the index, or of the manifest where the image has one platform only."""
    platforms: tuple[str, ...]
    """What it was built for: ``linux/amd64``, ``linux/arm64/v8``."""


def resolve(
    reference: Reference | str, *, platforms: Sequence[str] = DEFAULT_PLATFORMS, limits: Limits = DEFAULT_LIMITS
) -> Resolved:
    """Ask the registry for an image.

    With tag and digest, the tag must still lead to that digest. With a digest alone, the image must be there. With a
    tag alone, its digest is looked up.

    Args:
        reference: ``host/path:tag@digest``, with a tag, a digest or both.
        platforms: what the image must have been built for, each ``os/architecture`` or ``os/architecture/variant``.
        limits: how long to wait, and how often to ask.

    Raises:
        UserError: the reference is none, names neither tag nor digest, or the credentials can't be read.
        RegistryError: everything that the registry has to do with; its ``code`` says which.
    """
    image = parse_reference(reference) if isinstance(reference, str) else reference
    if not image.tag and not image.digest:
        raise RegistryError("no-tag", f"{image}: name a tag or a digest: 'latest' is not guessed")
    with Api(image, limits=limits) as api:
        digest = image.digest or ""
        if image.tag:
            current = _digest_of_tag(api, image)
            if image.digest and current != image.digest:
                raise _moved(api, image, current)
            digest = current
        manifest = _read(api, image, digest)
        found = _platforms(api, image, manifest)
    for wanted in platforms:
        if not any(_suits(one, wanted) for one in found):
            raise RegistryError(
                "no-platform", f"{image}: is not built for {wanted}, only for {', '.join(found) or 'no platform'}"
            )
    return Resolved(reference=image, digest=digest, platforms=found)


def resolve_all(
    references: Iterable[Reference], *, platforms: Sequence[str] = DEFAULT_PLATFORMS, limits: Limits = DEFAULT_LIMITS
) -> dict[Reference, Resolved | RegistryError]:
    """Ask for several images at once. What a registry refuses is returned, not raised: one answer for each.

    Raises:
        UserError: as :func:`resolve`.
    """

    def ask(reference: Reference) -> Resolved | RegistryError:
        try:
            return resolve(reference, platforms=platforms, limits=limits)
        except RegistryError as error:
            return error

    todo = list(dict.fromkeys(references))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return dict(zip(todo, pool.map(ask, todo), strict=True))


def confirm(references: Sequence[str], *, platforms: Sequence[str] = DEFAULT_PLATFORMS) -> None:
    """Prove that images are there as they are pinned, and built for the platforms.

    Raises:
        UserError: as :func:`resolve`.
        RegistryError: the first that is not confirmed.
    """
    for answer in resolve_all(map(parse_reference, references), platforms=platforms).values():
        if isinstance(answer, RegistryError):
            raise answer


def _digest_of_tag(api: Api, image: Reference) -> str:
    """What the tag leads to now. HEAD where the registry names the digest: it counts as no pull."""
    head = api.ask("HEAD", f"manifests/{image.tag}", accept=(*_INDEXES, *_MANIFESTS), missing=f"no tag '{image.tag}'")
    if head.digest:
        return head.digest
    body = api.ask("GET", f"manifests/{image.tag}", accept=(*_INDEXES, *_MANIFESTS), missing=f"no tag '{image.tag}'")
    return _hash(body.content)


def _read(api: Api, image: Reference, digest: str) -> Mapping[str, Any]:
    answer = api.ask("GET", f"manifests/{digest}", accept=(*_INDEXES, *_MANIFESTS), missing=f"nothing with {digest}")
    if _hash(answer.content) != digest:
        raise RegistryError(
            "wrong-digest",
            f"{image}: the registry answered {digest} with content that hashes to {_hash(answer.content)}",
        )
    return _parse(answer.content, image)


def _moved(api: Api, image: Reference, current: str) -> RegistryError:
    sentence = f"{image.name}:{image.tag}: the tag moved: it leads to {current} now, expected {image.digest}"
    manifest = _read(api, image, current)
    inner = [one for one in _list(manifest.get("manifests")) if one.get("digest") == image.digest]
    if inner:
        sentence = (
            f"{image.name}:{image.tag}: {image.digest} is the {_platform(inner[0].get('platform'))} part of it alone; "
            f"pin the index, {current}"
        )
    return RegistryError("tag-moved", sentence)


def _platforms(api: Api, image: Reference, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The platforms of an index, or the one that a single image's configuration names."""
    if isinstance(manifest.get("manifests"), list):
        entries = [_platform(one.get("platform")) for one in _list(manifest["manifests"])]
    else:
        config = manifest.get("config")
        digest = config.get("digest") if isinstance(config, dict) else None
        if not isinstance(digest, str):
            raise RegistryError("no-image", f"{image}: is not a container image that can run")
        answer = api.ask("GET", f"blobs/{digest}", accept=(), missing=f"no configuration {digest}")
        if _hash(answer.content) != digest:
            raise RegistryError("wrong-digest", f"{image}: its configuration does not hash to {digest}")
        entries = [_platform(_parse(answer.content, image))]
    # Attestations lie in an index as parts for the platform "unknown/unknown".
    return tuple(dict.fromkeys(one for one in entries if one and "unknown" not in one))


def _platform(entry: object) -> str:
    if not isinstance(entry, dict) or not entry.get("os") or not entry.get("architecture"):
        return ""
    return "/".join(str(entry[key]) for key in ("os", "architecture", "variant") if entry.get(key))


def _suits(found: str, wanted: str) -> bool:
    return found == wanted or found.startswith(f"{wanted}/")


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _hash(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _parse(content: bytes, image: Reference) -> Mapping[str, Any]:
    try:
        data = json.loads(content)
    except ValueError as error:
        raise RegistryError("no-image", f"{image}: the registry answered with something that is not JSON") from error
    if not isinstance(data, dict):
        raise RegistryError("no-image", f"{image}: is not a container image that can run")
    return data
