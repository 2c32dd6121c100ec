"""When images were built, as their configurations or annotations say."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cartwright.kernel.moments import parse_instant
from cartwright.promotion.manifests import (
    ACCEPTED,
    objects,
    parse_manifest,
    platform_name,
    read_config,
    read_manifest,
    suits,
)
from cartwright.registry.api import DEFAULT_LIMITS, Api, Limits
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import Reference

__all__ = ["read_builds"]

_ANNOTATION = "org.opencontainers.image.created"
_AT_ONCE = 8
_NO_IMAGE = frozenset({"not-found", "no-image"})
_NO_DATE = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)
"""Reproducible builds write the beginning of time into the configuration: that is no date of a build."""


def read_builds(
    image: Reference, names: Sequence[str], *, platform: str, limits: Limits = DEFAULT_LIMITS
) -> dict[str, datetime.datetime | None]:
    """When each image was built; None where nothing says it, or where it is no image.

    The configuration's ``created`` counts; where it has none, the annotation ``org.opencontainers.image.created`` of
    the manifest, then of its index.

    Args:
        image: the repository.
        names: tags, or digests.
        platform: the part of an index whose configuration counts.
        limits: how long to wait for each answer.

    Raises:
        RegistryError: the registry does not answer.
    """
    parts = [names[start::_AT_ONCE] for start in range(min(_AT_ONCE, len(names)))]

    def read(part: Sequence[str]) -> dict[str, datetime.datetime | None]:
        with Api(image, limits=limits) as api:
            return {name: _build(api, name, platform) for name in part}

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return {name: built for found in pool.map(read, parts) for name, built in found.items()}


def _build(api: Api, name: str, platform: str) -> datetime.datetime | None:
    try:
        answer = api.ask("GET", f"manifests/{name}", accept=ACCEPTED, missing=f"nothing named {name}")
        whole = manifest = parse_manifest(api, answer.content)
        if isinstance(manifest.get("manifests"), list):
            entries = objects(manifest["manifests"])
            entry = next((one for one in entries if suits(platform_name(one.get("platform")), platform)), None)
            if entry is None:
                return _annotated(whole)
            manifest = read_manifest(api, str(entry.get("digest")))
        return _date(read_config(api, manifest).get("created")) or _annotated(manifest) or _annotated(whole)
    except RegistryError as error:
        if error.code in _NO_IMAGE:  # a signature, a chart, or a tag that was removed meanwhile
            return None
        raise


def _annotated(manifest: Mapping[str, Any]) -> datetime.datetime | None:
    annotations = manifest.get("annotations")
    return _date(annotations.get(_ANNOTATION)) if isinstance(annotations, dict) else None


def _date(text: object) -> datetime.datetime | None:
    moment = parse_instant(text) if isinstance(text, str) else None
    return moment if moment is not None and moment >= _NO_DATE else None
