"""From a rendered object back to the line of source that made it so."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import yaml

from cartwright.kernel.errors import UserError
from cartwright.tree.closure import Closure, Kustomization
from cartwright.tree.repository import Tree
from cartwright.yaml.read import line_of, nodes

__all__ = ["SourceMap"]

Path = tuple[str | int, ...]
_PLACEHOLDER = "app"
"""What files of components call that which gets the name of the app they are used by."""


class SourceMap:
    """Finds sources in the closures of one tree. Files are parsed when a finding first asks for them."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._nodes = cache(self._parse)

    def locate(self, closure: Closure, content: Mapping[str, Any], field: Sequence[str | int] = ()) -> tuple[str, int]:
        """File and one-based line of the source behind a field of a rendered object.

        The last writer wins, as in kustomize: an ``images`` entry, then the overlay's patches, then those of its base
        and components, then a generator, then the base. Where the field itself stands nowhere (it is missing), its
        nearest parent is named, that of the base where a patch has none that is nearer.

        Args:
            closure: of the application that the object belongs to.
            content: the rendered object.
            field: path to the field, such as ``("spec", "replicas")``; empty for the object as a whole.
        """
        kind = str(content.get("kind", ""))
        name = str((content.get("metadata") or {}).get("name", ""))
        path = _by_name(content, field)
        if path and path[-1] == "image" and (found := self._image(closure, _value(content, field))):
            return found
        patched = [] if not path else list(self._patched(closure, content, field))
        for file, line, depth in patched:
            if depth == len(path):
                return file, line
        of_kind = [(file, node) for file, node in self._objects(closure.resources) if _text(node, "kind") == kind]
        named = [(file, node) for file, node in of_kind if _text(node, "metadata", "name") == name]
        if not named and (generated := self._generated(closure, kind, name, field)):
            return generated
        # A component's object takes its name from the app in the build; the only one of its kind is the one meant.
        for file, node in named or (of_kind if len(of_kind) == 1 else []):
            line, depth = _line_of(node, path, name)
            return max([(file, line, depth), *patched], key=lambda one: one[2])[:2]
        return closure.kustomizations[0].path, 1

    def line(self, kustomization: Kustomization, path: Path) -> int:
        """One-based line of an entry of a kustomization."""
        return line_of(self._nodes(kustomization.path)[0], path)[0]

    def line_in(self, file: str, kind: str, name: str, path: Sequence[str | int]) -> int:
        """One-based line of the deepest part of ``path`` that an object of a file has; 1 without that object."""
        found = (
            node for node in self._nodes(file) if (_text(node, "kind"), _text(node, "metadata", "name")) == (kind, name)
        )
        node = next(found, None)
        return line_of(node, path)[0] if node is not None else 1

    def objects(self, closure: Closure) -> Iterator[Mapping[str, Any]]:
        """Kind and name of every object that the closure's resource files hold, before any transformer."""
        for _, node in self._objects(closure.resources):
            yield {"kind": _text(node, "kind"), "metadata": {"name": _text(node, "metadata", "name")}}

    def _parse(self, file: str) -> tuple[yaml.Node, ...]:
        try:
            return tuple(node for node in nodes(self._tree.text(file), file) if node is not None)
        except UserError:
            return ()  # not YAML (a script in a generator): it holds no object

    def _objects(self, files: Sequence[str]) -> Iterator[tuple[str, yaml.Node]]:
        for file in files:
            for node in self._nodes(file):
                yield file, node

    def _image(self, closure: Closure, image: object) -> tuple[str, int] | None:
        repository = str(image).split("@", 1)[0]
        for kustomization in closure.kustomizations:
            for index, entry in enumerate(kustomization.content.get("images") or ()):
                name = str(entry.get("newName") or entry.get("name", ""))
                if repository == name or repository.startswith(f"{name}:"):
                    return kustomization.path, self.line(kustomization, ("images", index))
        return None

    def _patched(
        self, closure: Closure, content: Mapping[str, Any], field: Sequence[str | int]
    ) -> Iterator[tuple[str, int, int]]:
        """Where patches write the field or a parent of it: file, line, and how many steps of the field they have."""
        kind = str(content.get("kind", ""))
        name = str((content.get("metadata") or {}).get("name", ""))
        path = _by_name(content, field)
        for kustomization in closure.kustomizations:
            for index, entry in enumerate(kustomization.content.get("patches") or ()):
                if not isinstance(entry, Mapping):
                    continue
                target = entry.get("target") or {}
                if isinstance(entry.get("path"), str):
                    file = posixpath.normpath(posixpath.join(kustomization.folder, entry["path"]))
                    found = [(node, 0) for node in self._nodes(file)]
                else:
                    # The lines of a literal block follow that of its key.
                    file = kustomization.path
                    start = self.line(kustomization, ("patches", index, "patch"))
                    found = [(node, start) for node in _inline(str(entry.get("patch", "")), file)]
                for node, offset in found:
                    matches = (
                        target.get("kind", kind) == kind and target.get("name", name) == name
                        if target
                        else _text(node, "kind") == kind and _text(node, "metadata", "name") == name
                    )
                    if not matches:
                        continue
                    if isinstance(node, yaml.SequenceNode):
                        places = [place for one in node.value if (place := _operation(one, content, field))]
                        # Of two operations on one field the later one wins.
                        line, depth = max(reversed(places), key=lambda one: one[1], default=(0, 0))
                    else:
                        line, depth = _line_of(node, path, name)
                    if depth:
                        yield file, line + offset, depth

    def _generated(self, closure: Closure, kind: str, name: str, field: Sequence[str | int]) -> tuple[str, int] | None:
        key = {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}.get(kind, "")
        found: list[tuple[str, int]] = []
        for kustomization in closure.kustomizations:
            for index, entry in enumerate(kustomization.content.get(key) or ()):
                stem = str(entry.get("name", ""))
                if stem and (name == stem or name.startswith(f"{stem}-")):
                    if place := self._setting(kustomization, entry, field):
                        return place
                    found.append((kustomization.path, self.line(kustomization, (key, index))))
        return found[0] if found else None

    def _setting(
        self, kustomization: Kustomization, entry: Mapping[str, Any], field: Sequence[str | int]
    ) -> tuple[str, int] | None:
        """Where a generator's file says ``data/KEY``, or a setting in a file of it: ``data/FILE/SETTING``."""
        if len(field) < 2 or field[0] != "data":
            return None
        key, *settings = map(str, field[1:3])
        for source in map(str, entry.get("files") or ()):
            named, _, path = source.rpartition("=")
            if key == (named or posixpath.basename(path)):
                file = posixpath.normpath(posixpath.join(kustomization.folder, path))
                return file, self._line_that_begins(file, *settings) or 1
        for source in map(str, [*(entry.get("envs") or ()), *filter(None, [entry.get("env")])]):
            file = posixpath.normpath(posixpath.join(kustomization.folder, source))
            if line := self._line_that_begins(file, key):
                return file, line
        return None

    def _line_that_begins(self, file: str, word: str = "") -> int | None:
        """The last line whose first word is this one: there it counts."""
        pattern = re.compile(rf"\s*{re.escape(word)}\s*[=\s]")
        lines = self._tree.text(file).splitlines() if word and self._tree.is_file(file) else []
        return max((number for number, line in enumerate(lines, start=1) if pattern.match(line)), default=None)


def _inline(patch: str, file: str) -> list[yaml.Node]:
    try:
        return [node for node in nodes(patch, file) if node is not None]
    except UserError:
        return []


def _line_of(node: yaml.Node, path: Path, name: str) -> tuple[int, int]:
    """As ``line_of``, in a file that may call by the placeholder what is called ``name`` when it is rendered."""
    placeholder = tuple(f"name={_PLACEHOLDER}" if step == f"name={name}" else step for step in path)
    return max(line_of(node, path), line_of(node, placeholder), key=lambda found: found[1])


def _operation(operation: yaml.Node, content: Mapping[str, Any], field: Sequence[str | int]) -> tuple[int, int] | None:
    """Line of what an operation of a JSON patch writes of a field, and how many steps of the field that is.

    None where it writes elsewhere, or something below the field.
    """
    pointer = _text(operation, "path")
    value = next((value for key, value in _pairs(operation) if key.value == "value"), None)
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    if value is None or not steps or len(steps) > len(field):
        return None
    head, rest = field[: len(steps)], field[len(steps) :]
    appended = steps[-1] == "-" and _is_item(value, _value(content, head))
    if steps[:-1] != [str(step) for step in head[:-1]] or not (appended or steps[-1] == str(head[-1])):
        return None
    line, depth = line_of(value, rest)
    return line, len(steps) + depth


def _is_item(node: yaml.Node, item: Any) -> bool:
    """Whether a list's item is what a node appends to it: it begins with the same field, or is the same scalar."""
    if isinstance(item, Mapping):
        first = next(iter(_pairs(node)), None)
        return first is not None and str(item.get(first[0].value)) == getattr(first[1], "value", None)
    return getattr(node, "value", None) == str(item)


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _by_name(content: Mapping[str, Any], field: Sequence[str | int]) -> Path:
    """The path with list items named by their ``name``: a patch counts its items otherwise than the base does."""
    value: Any = content
    named: list[str | int] = []
    for step in field:
        if isinstance(value, list) and str(step).isdigit() and int(step) < len(value):
            value = value[int(step)]
            named.append(f"name={value['name']}" if isinstance(value, Mapping) and "name" in value else int(step))
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
            named.append(step)
    return tuple(named)


def _value(content: Mapping[str, Any], field: Sequence[str | int]) -> Any:
    value: Any = content
    for step in field:
        try:
            value = value[int(step) if isinstance(value, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def _text(node: yaml.Node, *path: str) -> str:
    """The scalar at a path of keys; empty where there is none."""
    for step in path:
        if not isinstance(node, yaml.MappingNode):
            return ""
        node = next((value for key, value in node.value if key.value == step), yaml.ScalarNode("", ""))
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
