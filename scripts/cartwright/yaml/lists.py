"""Appending entries to a list in a YAML text, and taking them out, with every other character left as it was.

Block and flow lists, empty ones, and texts that lack the key. The result is read again and compared with what was
meant before anyone sees it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from cartwright.kernel.errors import UserError
from cartwright.yaml.compose import STRING, Composition, compose
from cartwright.yaml.read import load
from cartwright.yaml.scalars import scalar

__all__ = ["append_entry", "remove_entries"]

Entry = Mapping[str, Any]
"""Strings, and mappings of strings."""


def append_entry(text: str, key: str, entry: Entry, *, file: str) -> str:
    """The text with one more entry at the end of the top-level list ``key``, which is made where it is missing.

    Raises:
        UserError: the text is not a mapping, the key holds no list, or the list is shared by an anchor.
    """
    composition = compose(text, file)
    found = _list(composition, key)
    newline = "\r\n" if "\r\n" in text else "\n"
    if found is None:
        root = _root(composition)
        if root is not None and root.flow_style and text.strip():
            raise composition.error(f"is written in one pair of braces, and has no '{key}'", root, f"write '{key}: []'")
        before = text + (newline if text and not text.endswith(("\n", "\r")) else "")
        after = before + newline.join([f"{key}:", *_block(entry, 2), ""])
    elif found.flow_style or not found.value:
        after = _append_flow(composition, key, found, entry, newline)
    else:
        _, end = _span(text, found, len(found.value) - 1)
        lead = "" if end == 0 or text[end - 1] in "\r\n" else newline
        lines = newline.join(_block(entry, found.start_mark.column))
        after = text[:end] + lead + lines + ("" if lead else newline) + text[end:]
    old = load(text, file) or {}
    _prove(after, {**old, key: [*(old.get(key) or ()), _plain(entry)]}, file)
    return after


def remove_entries(text: str, key: str, indices: Collection[int], *, file: str) -> str:
    """The text without those entries of the top-level list ``key``; comments on their own lines go with them.

    Raises:
        UserError: there is no such entry, or the list can't be cut without touching what stays.
    """
    composition = compose(text, file)
    found = _list(composition, key)
    if found is None or any(not 0 <= index < len(found.value) for index in indices):
        raise UserError(f"has no such entry in '{key}'", file=file)
    after = text
    if found.flow_style:
        kept = [text[node.start_mark.index : node.end_mark.index] for node in _kept(found, indices)]
        after = text[: found.start_mark.index] + f"[{', '.join(kept)}]" + text[found.end_mark.index :]
    else:
        for index in sorted(indices, reverse=True):
            start, end = _span(text, found, index)
            after = after[:start] + after[end:]
        if len(set(indices)) == len(found.value):
            colon = after.index(":", _key(composition, key).end_mark.index) + 1
            after = after[:colon] + " []" + after[colon:]
    old = load(text, file)
    _prove(after, {**old, key: [one for index, one in enumerate(old[key]) if index not in set(indices)]}, file)
    return after


def _kept(found: yaml.SequenceNode, indices: Collection[int]) -> list[yaml.Node]:
    return [node for index, node in enumerate(found.value) if index not in set(indices)]


def _root(composition: Composition) -> yaml.MappingNode | None:
    if len(composition.documents) > 1:
        raise UserError("holds several documents; expected one", file=composition.file)
    root = composition.documents[0] if composition.documents else None
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return None
    if not isinstance(root, yaml.MappingNode):
        raise composition.error("is not a mapping", root)
    return root


def _pair(composition: Composition, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    root = _root(composition)
    pairs = root.value if root is not None else []
    return next((pair for pair in pairs if pair[0].tag == STRING and pair[0].value == key), None)


def _key(composition: Composition, key: str) -> yaml.Node:
    pair = _pair(composition, key)
    if pair is None:
        raise UserError(f"has no '{key}'", file=composition.file)
    return pair[0]


def _list(composition: Composition, key: str) -> yaml.SequenceNode | None:
    pair = _pair(composition, key)
    if pair is None:
        return None
    node = pair[1]
    if not isinstance(node, yaml.SequenceNode):
        raise composition.error(f"{key} is not a list", node, f"write '{key}: []'")
    if composition.uses.get(id(node)):
        raise composition.error(f"{key} is shared by an anchor, so another place would change too", node)
    return node


def _append_flow(composition: Composition, key: str, found: yaml.SequenceNode, entry: Entry, newline: str) -> str:
    text, start, end = composition.text, found.start_mark.index, found.end_mark.index
    root = _root(composition)
    if found.value or root is None or root.flow_style:
        last = found.value[-1].end_mark.index if found.value else start + 1
        if text[last : end - 1].strip(" \t\r\n,"):
            raise composition.error(f"{key} ends with a comment", found, "write it as one entry a line")
        return text[:last] + (", " if found.value else "") + _flow(entry) + text[end - 1 :]
    # `holds: []  # comment` becomes `holds:  # comment` and the entry below it.
    colon = text.index(":", _key(composition, key).end_mark.index) + 1
    line_end = _line_end(text, end)
    rest = text[end:line_end]
    lead = "" if rest.endswith(("\n", "\r")) else newline
    return text[:colon] + rest + lead + newline.join([*_block(entry, 2), ""]) + text[line_end:]


def _span(text: str, found: yaml.SequenceNode, index: int) -> tuple[int, int]:
    """Start and end of the whole lines of one entry of a block list."""
    last = _last(found.value[index])
    end = _line_end(text, last.end_mark.index - (1 if text[: last.end_mark.index].endswith("\n") else 0))
    start = text.rfind("-", 0, found.value[index].start_mark.index)
    return text.rfind("\n", 0, start) + 1, end


def _last(node: yaml.Node) -> yaml.Node:
    """The node that ends last: a block collection's own end mark stands behind the comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def _line_end(text: str, start: int) -> int:
    found = text.find("\n", start)
    return len(text) if found < 0 else found + 1


def _block(entry: Entry, indent: int) -> list[str]:
    lines = [f"{key}: {_flow(value) if isinstance(value, Mapping) else scalar(value)}" for key, value in entry.items()]
    return [" " * indent + ("- " if number == 0 else "  ") + line for number, line in enumerate(lines)]


def _flow(entry: Entry) -> str:
    parts = (
        f"{key}: {_flow(value) if isinstance(value, Mapping) else json.dumps(value, ensure_ascii=False)}"
        for key, value in entry.items()
    )
    return f"{{{', '.join(parts)}}}"


def _plain(entry: Entry) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in entry.items()}


def _prove(after: str, wanted: Any, file: str) -> None:
    if load(after, file) != wanted:
        raise UserError("the edit would change more than intended, so nothing was written", file=file)
