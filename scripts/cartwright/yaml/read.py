"""Reading YAML: fast for content, and with line numbers for messages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from cartwright.kernel.errors import UserError

__all__ = ["DEEPEST", "MOST_VALUES", "line_of", "load", "load_all", "nodes", "refuse_excess"]

MOST_VALUES = 1_000_000
"""How many values a text of unknown origin may hold, written out: about a gigabyte of memory."""
DEEPEST = 200
"""How deep its values may be nested; parsers in C end without a word at some ten thousand."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_Loader):  # type: ignore[misc]
    """Refuses a key that stands twice in one mapping: YAML forbids it, and the second would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain value", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' is already in line {seen[key.value]}", key.start_mark
                )
            seen[key.value] = line
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _as_text(loader: Any, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _as_number(loader: Any, node: yaml.ScalarNode) -> int | float:
    kind = node.tag.rsplit(":", 1)[-1]
    try:
        number: int | float = getattr(loader, f"construct_yaml_{kind}")(node)
    except ValueError:  # "0b_", or thousands of digits
        number = math.nan
    if isinstance(number, float) and not math.isfinite(number):
        problem = f"{str(node.value)[:40]} is not a finite number"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return number


for _tag in ("int", "float"):
    _UniqueKeyLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _as_number)


# As Kubernetes reads YAML: a date and a lone "=" are text.
for _tag in ("timestamp", "value"):
    _UniqueKeyLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _as_text)


# Plain scalars as the Kubernetes tools read them, not as in YAML 1.1: 12:30 and 2026-01-31 are texts, 1e3 is a number.
_SCALARS = {
    "bool": (r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    "int": (r"[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}
_UniqueKeyLoader.yaml_implicit_resolvers = {}
for _tag, (_pattern, _first) in _SCALARS.items():
    _UniqueKeyLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def load_all(text: str, file: str) -> list[Any]:
    """Every document of a YAML text, as plain Python values.

    Raises:
        UserError: syntax error or duplicate key, with file and line.
    """
    try:
        return list(yaml.load_all(text, Loader=_UniqueKeyLoader))
    except yaml.YAMLError as error:
        raise _user_error(error, file, text) from error


def load(text: str, file: str) -> Any:
    """The one document of a YAML text.

    Raises:
        UserError: syntax error, duplicate key, or several documents.
    """
    documents = load_all(text, file)
    if len(documents) > 1:
        raise UserError("holds several documents; expected one", file=file)
    return documents[0] if documents else None


def nodes(text: str, file: str) -> Iterator[yaml.Node]:
    """Every document as a node tree, which knows its lines.

    Raises:
        UserError: syntax error, with file and line.
    """
    try:
        yield from yaml.compose_all(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _user_error(error, file, text) from error


def refuse_excess(text: str, file: str) -> None:
    """Look whether a text of unknown origin can be loaded without taking all memory. Needs next to none itself.

    Raises:
        UserError: more values than `MOST_VALUES` with aliases written out, values nested deeper than `DEEPEST`, an
            alias within what it stands for, or a syntax error; with file and line.
    """
    values = 0
    sizes: dict[str, int] = {}  # of what has an anchor
    open_: list[tuple[str | None, int]] = []  # anchors of the collections around, and how many values came before
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                if any(anchor == event.anchor for anchor, _ in open_):
                    raise _excess(f"the alias *{event.anchor} stands within what it stands for", event, file)
                values += sizes.get(event.anchor or "", 1)
            elif isinstance(event, yaml.CollectionStartEvent):
                open_.append((event.anchor, values))
                values += 1
                if len(open_) > DEEPEST:
                    raise _excess(f"values are nested deeper than {DEEPEST} levels", event, file)
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = open_.pop()
                if anchor:
                    sizes[anchor] = values - before
            elif isinstance(event, yaml.ScalarEvent):
                values += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            if values > MOST_VALUES:
                what = "aliases, written out, make" if isinstance(event, yaml.AliasEvent) else "holds"
                raise _excess(f"{what} more than {MOST_VALUES} values; split the file", event, file)
    except yaml.YAMLError as error:
        raise _user_error(error, file, text) from error


def _excess(message: str, event: yaml.Event, file: str) -> UserError:
    mark = event.start_mark
    return UserError(f"YAML: {message}", file=file, line=mark.line + 1 if mark else None)


def line_of(node: yaml.Node, path: Sequence[str | int]) -> tuple[int, int]:
    """Line (one-based) of the deepest part of ``path`` that exists below ``node``, and how many steps it went.

    A step is a key, an index, or ``name=value`` for the list item with that field:
    ``["spec", "containers", "name=app", "image"]``.
    """
    line, depth = node.start_mark.line + 1, 0
    for step in path:
        found = _step(node, step)
        if found is None:
            break
        line, node = found
        depth += 1
    return line, depth


def _step(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if str(index) == str(step) or _has_field(item, str(step)):
                return item.start_mark.line + 1, item
    return None


def _has_field(item: yaml.Node, step: str) -> bool:
    name, is_pair, wanted = step.partition("=")
    return (
        bool(is_pair)
        and isinstance(item, yaml.MappingNode)
        and any(key.value == name and getattr(value, "value", None) == wanted for key, value in item.value)
    )


def _user_error(error: yaml.YAMLError, file: str, text: str) -> UserError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else None
    if isinstance(error, yaml.reader.ReaderError):
        line = text.encode()[: error.position].count(b"\n") + 1
    return UserError(f"YAML: {problem}", file=file, line=line)
