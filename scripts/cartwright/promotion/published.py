"""What a registry says of an image: the digest behind a tag, and the platforms that it was built for.

A manifest is read by its digest and hashed here, so that neither a cache nor a registry can hand out another one. The
digest of an index is what gets pinned: each node picks its own platform from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cartwright.promotion.manifests import ACCEPTED, objects, platform_name, read_config, read_manifest, suits
from cartwright.registry.api import DEFAULT_LIMITS, Api, Limits
from cartwright.registry.contents import digest_of
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import Reference, parse_reference

__all__ = ["DEFAULT_PLATFORMS", "Limits", "RegistryError", "Resolved", "confirm", "resolve", "resolve_all"]

DEFAULT_PLATFORMS = ("linux/amd64",)
"""What an environment runs on that does not say ``gates.platforms``."""
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
        manifest = read_manifest(api, digest)
        found = _platforms(api, manifest)
    for wanted in platforms:
        if not any(suits(one, wanted) for one in found):
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
    head = api.ask("HEAD", f"manifests/{image.tag}", accept=ACCEPTED, missing=f"no tag '{image.tag}'")
    if head.digest:
        return head.digest
    body = api.ask("GET", f"manifests/{image.tag}", accept=ACCEPTED, missing=f"no tag '{image.tag}'")
    return digest_of(body.content)


def _moved(api: Api, image: Reference, current: str) -> RegistryError:
    sentence = f"{image.name}:{image.tag}: the tag moved: it leads to {current} now, expected {image.digest}"
    manifest = read_manifest(api, current)
    inner = [one for one in objects(manifest.get("manifests")) if one.get("digest") == image.digest]
    if inner:
        part = platform_name(inner[0].get("platform"))
        sentence = f"{image.name}:{image.tag}: {image.digest} is the {part} part of it alone; pin the index, {current}"
    return RegistryError("tag-moved", sentence)


def _platforms(api: Api, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The platforms of an index, or the one that a single image's configuration names."""
    if isinstance(manifest.get("manifests"), list):
        entries = [platform_name(one.get("platform")) for one in objects(manifest["manifests"])]
    else:
        entries = [platform_name(read_config(api, manifest))]
    # Attestations lie in an index as parts for the platform "unknown/unknown".
    return tuple(dict.fromkeys(one for one in entries if one and "unknown" not in one))
