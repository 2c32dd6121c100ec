"""Reading YAML: fast for content, and with line numbers for messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from cartwright.errors import UserError

__all__ = ["line_of", "load", "load_all", "nodes"]

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_Loader):  # type: ignore[misc]
    """Refuses a key that stands twice in one mapping: YAML forbids it, and the second would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands in line {seen[key.value]} already", key.start_mark
                )
            seen[key.value] = line
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _as_text(loader: Any, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


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
        raise _user_error(error, file) from error


def load(text: str, file: str) -> Any:
    """The one document of a YAML text.

    Raises:
        UserError: syntax error, duplicate key, or several documents.
    """
    documents = load_all(text, file)
    if len(documents) > 1:
        raise UserError("holds several documents where one is meant", file=file)
    return documents[0] if documents else None


def nodes(text: str, file: str) -> Iterator[yaml.Node]:
    """Every document as a node tree, which knows its lines.

    Raises:
        UserError: syntax error, with file and line.
    """
    try:
        yield from yaml.compose_all(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _user_error(error, file) from error


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


def _user_error(error: yaml.YAMLError, file: str) -> UserError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return UserError(f"YAML: {problem}", file=file, line=mark.line + 1 if mark else None)
