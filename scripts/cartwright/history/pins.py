"""The images that a kustomization pins, read fast: history has tens of thousands of them.

Says what :func:`cartwright.history.release.read_release` says, without lines and comments: libyaml composes the text,
and what it does not take is left to the slower reader, whose word counts.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import yaml

from cartwright.history.pinned import Pinned
from cartwright.history.release import read_release
from cartwright.history.releasetree import MOVED, STAND_IN
from cartwright.yaml.compose import MERGE, STRING

__all__ = ["read_pins"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _NotPlainError(Exception):
    """The text is not what the fast reader is for."""


def read_pins(text: str, file: str) -> tuple[Pinned, ...]:
    """What a kustomization pins, by image name.

    Raises:
        UserError: it can't be read, or kustomize would not take it: file and line.
    """
    try:
        found = _read_fast(text)
    except (yaml.YAMLError, _NotPlainError, RecursionError):
        release = read_release(text, file)
        found = [Pinned(pin.image, pin.tag, pin.digest, pin.source) for pin in release.pins]
    return tuple(sorted(found, key=lambda pin: pin.image))


def _read_fast(text: str) -> list[Pinned]:
    """What the text pins. An overlay's history differs in tags and digests: the text around them is read once."""
    if STAND_IN in text:
        return list(_compose(text))
    values: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        name = f"{STAND_IN}{len(values)}"
        values[name] = found[2]
        return found[1] + name

    pins = _compose(MOVED.sub(take, text))
    told = [part for pin in pins for part in (pin.tag, pin.digest) if part in values]
    if len(told) != len(values):  # one stands elsewhere, such as in a block of text, or goes on in the next line
        return list(_compose(text))
    return [
        replace(pin, tag=values.get(pin.tag or "", pin.tag), digest=values.get(pin.digest or "", pin.digest))
        for pin in pins
    ]


@functools.lru_cache(maxsize=10_000)
def _compose(text: str) -> tuple[Pinned, ...]:
    documents = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        raise _NotPlainError
    images = _fields(documents[0]).get("images")
    if images is None:
        return ()
    if not isinstance(images, yaml.SequenceNode):
        raise _NotPlainError
    found: dict[str, Pinned] = {}
    for entry in images.value:
        if not isinstance(entry, yaml.MappingNode):
            raise _NotPlainError
        fields = _fields(entry)
        name = _text(fields, "name")
        if not name or name in found:
            raise _NotPlainError
        found[name] = Pinned(
            image=name,
            tag=_text(fields, "newTag"),
            digest=_text(fields, "digest"),
            source=_text(fields, "newName"),
        )
    return tuple(found.values())


def _fields(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    """The mapping's values; merge keys and keys that stand twice are left to the slower reader."""
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.tag == MERGE or (key.tag == STRING and key.value in found):
            raise _NotPlainError
        if key.tag == STRING:
            found[key.value] = value
    return found


def _text(fields: dict[str, yaml.Node], key: str) -> str | None:
    node = fields.get(key)
    if node is not None and not isinstance(node, yaml.ScalarNode):
        raise _NotPlainError
    return node.value or None if node is not None else None
