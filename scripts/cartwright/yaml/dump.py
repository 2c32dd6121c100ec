"""Data as YAML text that every reader takes for the same data, in the layout of hand-written manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from cartwright.yaml.scalars import needs_quotes

__all__ = ["dump_all"]


def dump_all(documents: Iterable[Any], *, width: int) -> str:
    """The documents, parted by ``---``: keys in their order, no anchors, texts of several lines as blocks.

    Args:
        documents: mappings, sequences and scalars; read-only mappings and tuples are written as plain ones.
        width: characters after which a long plain text goes on in the next line.

    >>> print(dump_all([{"tag": "1.10", "items": ("a", "on")}], width=80), end="")
    tag: "1.10"
    items:
      - a
      - "on"
    """
    return yaml.dump_all([_plain(one) for one in documents], Dumper=_Dumper, sort_keys=False, width=width)


class _Dumper(yaml.SafeDumper):
    """Quotes around whatever some reader does not take for a text, and list items indented below their key."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # No reader takes a text with a space for anything else; PyYAML itself quotes those that mean something to YAML.
    style = "|" if "\n" in value else '"' if needs_quotes(value) and " " not in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_plain(value) for value in node]
    return node
