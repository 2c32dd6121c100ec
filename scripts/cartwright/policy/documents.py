"""Kubernetes objects as the policy engine takes them, read from YAML files or already in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.errors import UserError
from cartwright.yamlfile import load_all

__all__ = ["Document", "objects_in", "read_documents"]


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
        UserError: the document is no Kubernetes object.
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
    if not (contents["kind"].endswith("List") and isinstance(items, list)):
        yield Document(path=path, index=index, object=contents, item=item)
        return
    # The items of a typed list (PodList) need not repeat what its kind says.
    implied = {"apiVersion": contents["apiVersion"], "kind": contents["kind"].removesuffix("List")}
    for number, found in enumerate(items):
        typed = implied | dict(found) if implied["kind"] and isinstance(found, Mapping) else found
        yield from _flatten(path, index, typed, item=(*item, number))


def _kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    return {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}.get(
        type(value), type(value).__name__
    )


def read_documents(files: Iterable[Path]) -> list[Document]:
    """All objects of YAML files, in order.

    Raises:
        UserError: a file is unreadable, is no YAML in UTF-8 (with line), or holds something else than objects.
    """
    return [document for file in files for document in _read(file)]


def _read(file: Path) -> list[Document]:
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError("is not UTF-8", file=file, line=line) from error
    contents = load_all(text, str(file))
    return [document for index, found in enumerate(contents) for document in objects_in(str(file), index, found)]
