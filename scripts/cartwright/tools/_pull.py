"""Taking tools from a registry into the cache: hashed before they are unpacked, whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cartwright.kernel.atomic import fill_folder
from cartwright.kernel.errors import Blocked, ToolError
from cartwright.registry.api import Api, Limits
from cartwright.registry.contents import INDEX, Blob, download, read_manifest
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import Reference
from cartwright.tools._archive import unpack
from cartwright.tools._cache import lock, say
from cartwright.tools._parts import LAYER, TAG, Part, is_tampering, machine, tools_reference

__all__ = ["VARIABLE", "pull", "read_index", "read_layer", "take_configured"]

VARIABLE = "CARTWRIGHT_TOOLS"
"""Names the registry that tools are taken from before any is built."""
_LIMITS = Limits(connect=5, answer=20, patience=30, attempts=4)
_BRIEF = Limits(connect=5, answer=20, patience=5, attempts=2)
"""For those who can build as well: they should not wait long for a registry that is not there."""
_AT_ONCE = 4
_given_up: set[Reference] = set()
"""What did not answer this process once is not waited for again."""


def take_configured(parts: Sequence[Part]) -> None:
    """Take what ``$CARTWRIGHT_TOOLS`` has of the parts; the caller, who holds the cache's lock, builds the others.

    A registry that does not answer, or not to us, costs a line on standard error.

    Raises:
        UserError: the variable holds no reference.
        ToolError: content that is not what it must be. Building in spite of it would hide that someone changed it.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text or not parts:
        return
    reference = tools_reference(text, said_by=VARIABLE)
    if reference in _given_up:
        return
    try:
        absent = _take(reference, parts, limits=_BRIEF)
    except RegistryError as error:
        _given_up.add(reference)
        say(f"nothing taken from {VARIABLE}: {error}")
        return
    if absent:
        say(f"{_not_there(reference, absent)}: made here")


def pull(reference: Reference, parts: Sequence[Part], *, optional: Sequence[Part] = ()) -> None:
    """Take parts that are not in the cache from a registry.

    Args:
        reference: a repository; or an index in it, by tag or digest: then nothing else is taken.
        parts: what must be there.
        optional: what is taken where it is there.

    Raises:
        Blocked: the registry lacks some; the others are in the cache.
        RegistryError: the registry does not answer, or not to us, or has nothing under the reference.
        ToolError: content that is not what it must be, or that can't be written. Other parts may be there by then.
    """
    with lock():
        absent = _take(reference, [part for part in (*parts, *optional) if not part.is_here], limits=_LIMITS)
    if lacking := [part for part in absent if part in parts]:
        raise Blocked(_not_there(reference, lacking))


def _take(reference: Reference, parts: Sequence[Part], *, limits: Limits) -> list[Part]:
    """Take parts, several at once, and return those that the registry does not have. The caller holds the lock."""
    if not parts:
        return []
    began = time.monotonic()
    try:
        with Api(reference, limits=limits) as api:
            named = _read_named(api, reference)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            tasks = [pool.submit(_take_one, reference, part, named, limits) for part in parts]
            try:
                sizes = [task.result() for task in tasks]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except RegistryError as error:
        if is_tampering(error):
            raise ToolError(str(error)) from error
        raise
    if found := [size for size in sizes if size is not None]:
        say(f"{len(found)} taken from {reference} in {time.monotonic() - began:.0f} s, {sum(found) / 1e6:.0f} MB")
    return [part for part, size in zip(parts, sizes, strict=True) if size is None]


def _not_there(reference: Reference, parts: Sequence[Part]) -> str:
    names = ", ".join(map(str, parts))
    return f"{reference} lacks {names} (for {'/'.join(machine())}, with this repository's sums)"


def read_index(api: Api, name: str) -> tuple[dict[str, Any], ...]:
    """The entries of an index of tools.

    Raises:
        RegistryError: there is none under that tag or digest, or something else is.
    """
    what = f"nothing with {name}" if ":" in name else f"no tag '{name}'"
    _, content = read_manifest(api, name, missing=what)
    entries = content.get("manifests")
    if content.get("mediaType") != INDEX or not isinstance(entries, list):
        raise RegistryError("no-image", f"{api.image}: is not an index of tools")
    for entry in entries:
        if Blob.read(entry) is None or any(
            not isinstance(entry.get(key, {}), dict) for key in ("annotations", "platform")
        ):
            raise RegistryError("no-image", f"{api.image}: is not an index of tools")
    return tuple(entries)


def read_layer(api: Api, part: Part, manifest: Mapping[str, Any]) -> Blob:
    """The blob that holds a part, by its manifest.

    Raises:
        RegistryError: it is the manifest of something else.
    """
    layers = manifest.get("layers")
    layer = layers[0] if isinstance(layers, list) and len(layers) == 1 else None
    blob = Blob.read(layer)
    if blob is None or layer.get("mediaType") != LAYER:  # type: ignore[union-attr]  # a blob is read from a mapping
        raise RegistryError("no-image", f"{api.image}: tag {part.tag} leads to something that is not a tool")
    notes = manifest.get("annotations")
    said = notes.get(TAG) if isinstance(notes, dict) else None
    if said != part.tag:
        raise RegistryError("no-image", f"{api.image}: the artifact under tag {part.tag} says that it is {said}")
    return blob


def _read_named(api: Api, reference: Reference) -> Mapping[str, str] | None:
    """Digests by tag where the reference names an index; None where it names a repository, whose tags are asked."""
    name = reference.digest or reference.tag
    if name is None:
        return None
    return {str(entry.get("annotations", {}).get(TAG)): entry["digest"] for entry in read_index(api, name)}


def _take_one(reference: Reference, part: Part, named: Mapping[str, str] | None, limits: Limits) -> int | None:
    """Bytes that were downloaded; None where the registry has no such part."""
    name = part.tag if named is None else named.get(part.tag)
    if name is None:
        return None
    try:
        with Api(reference, limits=limits) as api:
            _, manifest = read_manifest(api, name, missing="no such tool")
            blob = read_layer(api, part, manifest)
            _fetch(api, part, blob)
    except RegistryError as error:
        if error.code == "not-found":
            return None
        if is_tampering(error):
            raise ToolError(f"{part} is refused: {error}{_remedy(reference, part)}") from error
        raise
    except ToolError as error:
        raise ToolError(f"{part} is refused: {error}{_remedy(reference, part)}") from error
    except OSError as error:
        raise ToolError(f"{part} can't be written to {part.home.parent}: {error.strerror}") from error
    say(f"{part} taken, {blob.size / 1e6:.1f} MB")
    return blob.size


def _fetch(api: Api, part: Part, blob: Blob) -> None:
    # A killed or failed download leaves nothing that looks like a tool.
    with fill_folder(part.home) as home:
        archive = home.with_name("archive")
        download(api, blob, archive)
        unpack(archive, home)
        if part.platform and not (home / part.tool.name).is_file():
            raise ToolError(f"its archive holds no {part.tool.name}")


def _remedy(reference: Reference, part: Part) -> str:
    again = f"`cartwright tools push {reference.name} {part.tool.name} --replace`"
    return f" (find out who changed it; {again} from a machine that built it puts it right)"
