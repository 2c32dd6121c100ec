"""What an overlay pins: the image tag and digest of each of its images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from cartwright.history.pinned import Pinned
from cartwright.history.releasetree import ReleaseTree
from cartwright.kernel.errors import UserError
from cartwright.yaml.compose import MERGE, STRING, Composition, compose_fast

__all__ = ["Pin", "Release", "digests_of", "read_release"]

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Pin(Pinned):
    """One entry of ``images:`` in a file; the places are the first ones where it stands in no file of this commit."""

    document: int = 0
    """Position of the kustomization among the file's YAML documents, from 0."""
    index: int = 0
    """Position of the entry in ``images``, from 0."""
    line: int = 1
    """One-based line of the entry."""
    tag_line: int = 1
    """One-based line of ``newTag``; the entry's where there is none."""
    digest_line: int = 1
    """One-based line of ``digest``; the entry's where there is none."""
    tag_is_text: bool = True
    """False where YAML reads the tag as something else: ``1.10`` without quotes is the number 1.1."""


@dataclass(frozen=True)
class Release:
    """All that an overlay pins."""

    file: str
    """The kustomization that states it."""
    pins: tuple[Pin, ...]
    """Its images, in the order of the file."""
    tree: ReleaseTree | None = None
    """All its files; None where only its images are known, or promoted."""

    @property
    def config(self) -> str | None:
        """Identity of all but the images; None where that is not known."""
        return self.tree.config if self.tree else None

    @property
    def name(self) -> str:
        """As people call it: its tags; what pins no image by the beginning of its tree id."""
        return ", ".join(self.tags) if self.pins or self.tree is None else f"release {self.tree.id[:12]}"

    @property
    def tags(self) -> tuple[str, ...]:
        """One tag for each image: the tag alone where the app has one image, else ``name:tag``."""
        return _named(self.pins, [pin.tag for pin in self.pins], ":")

    @property
    def digests(self) -> tuple[str, ...]:
        """One digest for each image, in the same order and manner (``name@digest``)."""
        return digests_of(self.pins)

    def require_complete(self, *, known: Sequence[Pinned] = ()) -> None:
        """Prove that it can be promoted.

        Args:
            known: the images that run in the target already: one that does not change may come without a digest.

        Raises:
            UserError: it holds nothing, or an image lacks a well-formed tag or digest: file and line.
        """
        if not self.pins and self.tree is None:
            raise UserError("pins no image, so there is no release to promote", file=self.file)
        runs = {(one.image, one.source, one.tag) for one in known if one.digest is None}
        for pin in self.pins:
            if self.tree is not None and pin.digest is None and (pin.image, pin.source, pin.tag) in runs:
                continue
            if pin.tag is None or not _TAG.fullmatch(pin.tag):
                what = "has no newTag" if pin.tag is None else f"newTag '{pin.tag}' is not a valid image tag"
                raise UserError(f"{pin.image}: {what}", file=self.file, line=pin.tag_line, hint="state tag and digest")
            if not pin.tag_is_text:
                raise UserError(
                    f"{pin.image}: newTag {pin.tag} is not text in YAML",
                    file=self.file,
                    line=pin.tag_line,
                    hint=f'write "{pin.tag}" with quotes',
                )
            if pin.digest is None:
                raise UserError(
                    f"{pin.image}:{pin.tag} has no digest, so it can't be promoted",
                    file=self.file,
                    line=pin.line,
                    hint="state the digest of the tested image: a tag can be moved",
                )
            if not _DIGEST.fullmatch(pin.digest):
                raise UserError(
                    f"{pin.image}: '{pin.digest}' is not a digest",
                    file=self.file,
                    line=pin.digest_line,
                    hint="sha256: and 64 hexadecimal digits",
                )


def digests_of(pins: Sequence[Pinned]) -> tuple[str, ...]:
    """One digest for each image: the digest alone where there is one image, else ``name@digest``."""
    return _named(pins, [pin.digest for pin in pins], "@")


def _named(pins: Sequence[Pinned], values: list[str | None], joint: str) -> tuple[str, ...]:
    if len(values) == 1:
        return (values[0] or "none",)
    return tuple(f"{pin.image}{joint}{value or 'none'}" for pin, value in zip(pins, values, strict=True))


def read_release(text: str, file: str) -> Release:
    """What a kustomization pins, complete or not.

    Raises:
        UserError: not YAML, not one kustomization, or its ``images`` are not what kustomize reads: file and line.
    """
    composition = compose_fast(text, file)
    filled = [index for index, node in enumerate(composition.documents) if isinstance(node, yaml.MappingNode)]
    empty = [node for node in composition.documents if isinstance(node, yaml.ScalarNode) and not node.value]
    if len(filled) != 1 or len(empty) != len(composition.documents) - 1:
        raise UserError("is not a kustomization (expected one mapping)", file=file)
    root = composition.documents[filled[0]]
    images = _lookup(root, "images")
    if images is None:
        return Release(file=file, pins=())
    if not isinstance(images, yaml.SequenceNode):
        raise composition.error("images is not a list", images)
    pins: list[Pin] = []
    for index, entry in enumerate(images.value):
        pin = _pin(composition, entry, filled[0], index)
        twin = next((one for one in pins if one.image == pin.image), None)
        if twin is not None:
            raise composition.error(
                f"images has '{pin.image}' in line {twin.line} already", entry, "keep one of the two"
            )
        pins.append(pin)
    return Release(file=file, pins=tuple(pins))


def _pin(composition: Composition, entry: yaml.Node, document: int, index: int) -> Pin:
    name = _lookup(entry, "name")
    if not isinstance(name, yaml.ScalarNode) or not name.value:
        raise composition.error(f"images[{index}] has no name", entry)
    tag = _scalar(composition, entry, "newTag", index)
    digest = _scalar(composition, entry, "digest", index)
    source = _scalar(composition, entry, "newName", index)
    line = entry.start_mark.line + 1
    return Pin(
        image=name.value,
        tag=tag.value if tag else None,
        digest=digest.value if digest else None,
        source=source.value if source else None,
        document=document,
        index=index,
        line=line,
        tag_line=tag.start_mark.line + 1 if tag else line,
        digest_line=digest.start_mark.line + 1 if digest else line,
        tag_is_text=tag is None or composition.is_text(tag),
    )


def _scalar(composition: Composition, entry: yaml.Node, key: str, index: int) -> yaml.ScalarNode | None:
    node = _lookup(entry, key)
    if node is not None and not isinstance(node, yaml.ScalarNode):
        raise composition.error(f"images[{index}].{key} is not a single value", node)
    return node if node is not None and node.value else None


def _lookup(node: yaml.Node, key: str) -> yaml.Node | None:
    """The value of a key, its own or one that a merge key brings.

    Each mapping is asked once: merge keys can lead to one by many ways, and back to where they stand.
    """
    pending, seen = [node], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen or not isinstance(one, yaml.MappingNode):
            continue
        seen.add(id(one))
        merged: list[yaml.Node] = []
        for name, value in one.value:
            if name.tag == STRING and name.value == key:
                found: yaml.Node = value
                return found
            if name.tag == MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        pending += reversed(merged)
    return None
