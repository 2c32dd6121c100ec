"""Kubernetes objects as the policy engine takes them, read from YAML files or already in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.yaml.read import load_all, refuse_excess

__all__ = ["LARGEST_FILE", "Document", "documents_of", "objects_in", "read_documents", "read_text"]

LARGEST_FILE = 16 * 1024 * 1024
"""Bytes of a file that are read. etcd takes objects of 1.5 MiB: many of them fit."""


@dataclass(frozen=True)
class Document:
    """One Kubernetes object and where it stands."""

    path: str
    """The file, as findings shall name it."""
    index: int
    """Position of the YAML document in the file, from 0."""
    object: Mapping[str, Any]
    """The object itself; has an ``apiVersion`` and a ``kind`` that are strings."""
    item: tuple[int, ...] = ()
    """Positions in ``items`` of the List that it was taken from; empty for an object that stands for itself."""

    @property
    def kind_key(self) -> str:
        """API group and kind, for example ``apps/Deployment`` or ``/Pod``."""
        group, slash, _ = str(self.object["apiVersion"]).partition("/")
        return f"{group if slash else ''}/{self.object['kind']}"


def objects_in(path: str, index: int, contents: Any) -> Iterator[Document]:
    """The objects of one YAML document: itself, or a List's items, at any depth. An empty document has none.

    Raises:
        UserError: the document is not a Kubernetes object.
    """
    if contents is not None:
        yield from _flatten(path, index, contents, item=())


def _flatten(path: str, index: int, contents: Any, *, item: tuple[int, ...]) -> Iterator[Document]:
    place = f"document {index + 1}" + "".join(f", items[{number}]" for number in item)
    if not isinstance(contents, Mapping):
        raise UserError(f"{place} is not a Kubernetes object but {_kind_of(contents)}", file=path)
    for key in ("apiVersion", "kind"):
        if not isinstance(contents.get(key), str) or not contents[key]:
            raise UserError(f"{place} is not a Kubernetes object: it has no {key}", file=path)
    items = contents.get("items")
    if contents["kind"] == "List" and not isinstance(items, list):
        if items is not None:
            raise UserError(f"{place}: items of the List is not a list but {_kind_of(items)}", file=path)
        return
    if not (contents["kind"].endswith("List") and isinstance(items, list)):
        yield Document(path=path, index=index, object=contents, item=item)
        return
    # The items of a typed list (PodList) need not repeat what its kind says.
    implied = {"apiVersion": contents["apiVersion"], "kind": contents["kind"].removesuffix("List")}
    for number, found in enumerate(items):
        typed = implied | dict(found) if implied["kind"] and isinstance(found, Mapping) else found
        yield from _flatten(path, index, typed, item=(*item, number))


def _kind_of(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


_KINDS = {
    NoneType: "nothing",
    bool: "a boolean",
    dict: "a mapping",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}


def read_documents(files: Iterable[Path]) -> list[Document]:
    """All objects of YAML files, in order.

    Raises:
        UserError: as `read_text` and `documents_of`.
    """
    return [document for file in files for document in documents_of(read_text(file), str(file))]


def read_text(file: Path) -> str:
    """The text of a file, read once: it may be a pipe.

    Raises:
        UserError: the file can't be read, is larger than `LARGEST_FILE`, or is not UTF-8 (with line).
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", file=file) from error
    if len(content) > LARGEST_FILE:
        raise UserError(
            f"is larger than {LARGEST_FILE // 1024**2} MiB", file=file, hint="split it, an object or a few in a file"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError("is not UTF-8", file=file, line=line) from error


def documents_of(text: str, path: str) -> list[Document]:
    """All objects of a YAML text, in order.

    Args:
        text: from anywhere: what would not fit into memory is refused.
        path: the file, as findings shall name it.

    Raises:
        UserError: it is not YAML, holds too much or something else than objects (with line where it is known).
    """
    refuse_excess(text, path)
    contents = load_all(text, path)
    return [document for index, found in enumerate(contents) for document in objects_in(path, index, found)]
