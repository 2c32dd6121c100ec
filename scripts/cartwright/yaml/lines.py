"""Putting lines behind an entry of a YAML text, with every other line as it was.

For our own block-style files, whose entries begin on lines of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from cartwright.kernel.errors import UserError
from cartwright.yaml.read import nodes

__all__ = ["insert_after"]


def insert_after(text: str, path: Sequence[str | int], new: str, *, file: str) -> str:
    """The text with the lines ``new`` behind the entry at ``path``; a negative index counts from the end.

    Raises:
        UserError: there is no such entry.
    """
    last = _end(text, path, file)
    lines = text.splitlines(keepends=True)
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    return "".join([*lines[: last + 1], new, *lines[last + 1 :]])


def _end(text: str, path: Sequence[str | int], file: str) -> int:
    """The last line of an entry, from 0."""
    node = next(nodes(text, file))
    first = 0
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == step), None)
            if pair is None:
                raise UserError(f"has no '{'.'.join(map(str, path))}'", file=file, line=node.start_mark.line + 1)
            first, node = pair[0].start_mark.line, pair[1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(step, int) and -len(node.value) <= step < len(node.value)
        ):
            node = node.value[step]
            first = node.start_mark.line
        else:
            raise UserError(f"has no '{'.'.join(map(str, path))}'", file=file, line=node.start_mark.line + 1)
    last, lines = max(first, _last(node)), text.splitlines()
    while not lines[last].strip():
        last -= 1  # a block of text ends behind the blank lines that follow it
    return last


def _last(node: yaml.Node) -> int:
    """The last line with content: a block collection's own end mark lies on what follows it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        ends_before = node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line
        return int(node.end_mark.line) - (1 if ends_before else 0)
    parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    return max((_last(part) for part in parts), default=int(node.start_mark.line))
