"""Bringing built tools to a registry: an artifact for each, once, and an index whose digest names them all."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.kernel.paths import cache_root
from cartwright.registry.api import Api, Limits
from cartwright.registry.contents import EMPTY, INDEX, MANIFEST, Blob, put_manifest, read_manifest, upload
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import Reference
from cartwright.tools._archive import pack
from cartwright.tools._cache import say
from cartwright.tools._parts import ARTIFACT, LAYER, NAME, TAG, Part, machine
from cartwright.tools._pull import read_index, read_layer

__all__ = ["push"]

_LIMITS = Limits(connect=10, answer=120, patience=300, attempts=4)
"""A registry stores what it got before it answers."""
_AT_ONCE = 4


def push(reference: Reference, parts: Sequence[Part], *, replace: bool = False) -> str:
    """Store parts of the cache in a registry, several at once; what is there is not sent again.

    Returns ``host/path@digest`` of the index: whoever takes tools by it gets these and no others.

    Args:
        reference: the repository. A tag names the index, where entries of other platforms are kept; without one, its
            tag is made of this platform and the sum of the parts.
        parts: what is stored.
        replace: send a part although something has its tag.

    Raises:
        UserError: the reference has a digest, or a part is not in the cache.
        RegistryError: the registry does not take it. The parts that it has by then stay, the index is not written.
    """
    if reference.digest:
        raise UserError(f"{reference}: can't push to a digest", hint=f"`cartwright tools push {reference.name}`")
    missing = [str(part) for part in parts if not part.is_here]
    if missing:
        raise UserError(f"not built: {', '.join(missing)}", hint="`cartwright tools build` makes what is missing")
    with Api(reference, limits=_LIMITS) as api:
        # Before the parts: a registry that takes nothing says so at once.
        upload(api, EMPTY, b"{}")
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            tasks = [pool.submit(_push_one, reference, part, replace) for part in parts]
            try:
                results = [task.result() for task in tasks]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        entries = [_entry(part, blob) for part, (blob, _) in zip(parts, results, strict=True)]
        tag = reference.tag or _tag(parts)
        kept = _others(api, reference.tag, parts) if reference.tag else []
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": _in_order([*kept, *entries])}
        stored = put_manifest(api, tag, index, kind=INDEX)
    sent = sum(new for _, new in results)
    say(f"{sent} sent to {reference}, {len(parts) - sent} were there")
    return f"{reference.name}@{stored.digest}"


def _push_one(reference: Reference, part: Part, replace: bool) -> tuple[Blob, bool]:
    """The part's manifest, and whether it was sent."""
    with Api(reference, limits=_LIMITS) as api:
        if not replace:
            try:
                found, manifest = read_manifest(api, part.tag, missing=f"no tag '{part.tag}'")
                read_layer(api, part, manifest)
            except RegistryError as error:
                if error.code != "not-found":
                    raise
            else:
                return found, False
        with tempfile.TemporaryDirectory(prefix=".pushing-", dir=cache_root()) as side:
            archive = Path(side) / "archive"
            pack(part.home, archive)
            blob = Blob.of(archive)
            upload(api, blob, archive)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "config": EMPTY.describe("application/vnd.oci.empty.v1+json"),
            "layers": [blob.describe(LAYER) | {"annotations": {NAME: f"{part.tag}.tar.gz"}}],
            "annotations": {TAG: part.tag},
        }
        stored = put_manifest(api, part.tag, manifest, kind=MANIFEST)
    say(f"{part} sent, {blob.size / 1e6:.1f} MB")
    return stored, True


def _entry(part: Part, manifest: Blob) -> dict[str, Any]:
    entry = manifest.describe(MANIFEST) | {"annotations": {NAME: part.name, TAG: part.tag}}
    if part.platform:
        entry["platform"] = {"os": part.platform[0], "architecture": part.platform[1]}
    return entry


def _others(api: Api, tag: str, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """What the index under a tag holds of other platforms and other tools."""
    try:
        entries = read_index(api, tag)
    except RegistryError as error:
        if error.code != "not-found":
            raise
        return []
    ours = {_place(_entry(part, EMPTY)) for part in parts}
    return [entry for entry in entries if _place(entry) not in ours]


def _place(entry: dict[str, Any]) -> tuple[str, ...]:
    """What there is one of in an index: a tool for a platform."""
    place = entry.get("platform", {})
    return str(entry.get("annotations", {}).get(NAME)), str(place.get("os")), str(place.get("architecture"))


def _in_order(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same entries make the same index, in whichever order they came."""
    return sorted(entries, key=_place)


def _tag(parts: Sequence[Part]) -> str:
    """The tag of an index: this platform, and the sum over the tags of its parts."""
    total = hashlib.sha256("\0".join(sorted(part.tag for part in parts)).encode())
    return "-".join([*machine(), total.hexdigest()[:12]])
