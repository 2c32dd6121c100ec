"""Changing single scalars of a YAML text and leaving every other character as it was.

An edit replaces the characters of one scalar token. What can't be changed alone (an alias, an anchor with other users,
a key that is not there) is refused, and the result is parsed and compared with what was meant before anyone sees it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from cartwright.kernel.errors import UserError
from cartwright.yaml.compose import MERGE, STRING, Composition, Step, compose
from cartwright.yaml.scalars import scalar

__all__ = ["Edit", "edit"]


@dataclass(frozen=True)
class Edit:
    """One scalar that gets a new value."""

    path: tuple[Step, ...]
    """Keys and indices that lead to it, such as ``("images", 0, "newTag")``."""
    value: str
    """The string that readers shall find there."""
    document: int = 0
    """Position of the YAML document in the text, from 0."""


def edit(text: str, edits: Sequence[Edit], *, file: str) -> str:
    """The text with the edits made; everything else is as it was, character for character.

    Args:
        text: the content, with its own line endings and its byte order mark, if it has one.
        edits: what to change; each scalar once.
        file: what messages call the text.

    Raises:
        UserError: a value can't be changed alone, or the text is not YAML: file, line and why. Nothing is edited then.
    """
    before = compose(text, file)
    targets = [(one, _locate(before, one)) for one in edits]
    if len({id(node) for _, node in targets}) != len(targets):
        raise UserError("the same value is changed twice", file=file)
    spans = sorted(
        (_span(before, one, node) for one, node in targets if not _is(before, node, one.value)), reverse=True
    )
    after = text
    for start, end, replacement in spans:
        after = after[:start] + replacement + after[end:]
    _prove(before, compose(after, file), {id(node): one.value for one, node in targets})
    return after


def _is(composition: Composition, node: yaml.ScalarNode, value: str) -> bool:
    return bool(node.value == value and composition.is_text(node))


def _locate(composition: Composition, wanted: Edit) -> yaml.ScalarNode:
    if wanted.document >= len(composition.documents):
        raise UserError(f"has no document {wanted.document + 1}", file=composition.file)
    node = composition.documents[wanted.document]
    for depth, step in enumerate(wanted.path):
        _refuse_shared(composition, node)
        node = _child(composition, node, step, composition.spelled(wanted.path[: depth + 1]))
    _refuse_shared(composition, node)
    place = composition.spelled(wanted.path)
    if not isinstance(node, yaml.ScalarNode):
        raise composition.error(f"{place} is not a single value", node)
    if node.end_mark.index not in composition.tokens or node.start_mark.index == node.end_mark.index:
        raise composition.error(f"{place} is empty; an edit only replaces values", node, "write a value there once")
    if node.style in {"|", ">"}:
        raise composition.error(f"{place} is a block of text", node, "write it on the line of its key")
    return node


def _refuse_shared(composition: Composition, node: yaml.Node) -> None:
    lines = composition.uses.get(id(node))
    if lines:
        where = ", ".join(map(str, lines))
        raise composition.error(
            f"anchor &{composition.anchors[id(node)]} is used again in line {where}, which would change too",
            node,
            "write the value out in both places",
        )


def _child(composition: Composition, node: yaml.Node, step: Step, place: str) -> yaml.Node:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        alias = composition.aliases.get((id(node), step))
    elif isinstance(node, yaml.MappingNode) and isinstance(step, str):
        pair = next((pair for pair in node.value if pair[0].tag == STRING and pair[0].value == step), None)
        if pair is None:
            merged = any(key.tag == MERGE for key, _ in node.value)
            raise composition.error(
                f"{place} {'comes from a merge key (<<)' if merged else 'is not there'}; an edit only replaces values",
                node,
                f"write '{step}:' there once",
            )
        found, alias = pair[1], composition.aliases.get((id(node), id(pair[0])))
    else:
        raise composition.error(f"{place} is not there", node)
    if alias is not None:
        raise UserError(
            f"{place} is an alias of &{composition.anchors[id(found)]} in line {found.start_mark.line + 1}, "
            "so it can't be changed alone",
            file=composition.file,
            line=alias,
            hint="write the value out in its place",
        )
    return found


def _span(composition: Composition, wanted: Edit, node: yaml.ScalarNode) -> tuple[int, int, str]:
    """Start and end of the scalar's own characters, and what comes in their place, in the style that it had."""
    token = composition.tokens[node.end_mark.index]
    if node.style == '"' or (node.style == "'" and not wanted.value.isprintable()):
        new = json.dumps(wanted.value, ensure_ascii=False)
    elif node.style == "'":
        new = "'" + wanted.value.replace("'", "''") + "'"
    else:
        new = scalar(wanted.value)
    return token.start_mark.index, token.end_mark.index, new


def _prove(before: Composition, after: Composition, wanted: dict[int, str]) -> None:
    """Both are the same graph of nodes, but for the wanted values.

    Raises:
        UserError: they are not.
    """
    pending = list(zip(before.documents, after.documents, strict=False))
    twins: dict[int, int] = {}
    same = len(before.documents) == len(after.documents)
    while pending and same:
        old, new = pending.pop()
        if id(old) in twins:
            same = twins[id(old)] == id(new)
            continue
        twins[id(old)] = id(new)
        same = type(old) is type(new) and before.anchors.get(id(old)) == after.anchors.get(id(new))
        if not same:
            break
        if isinstance(old, yaml.ScalarNode):
            expected = (STRING, wanted[id(old)]) if id(old) in wanted else (old.tag, old.value)
            same = (new.tag, new.value) == expected
        else:
            old_parts, new_parts = _parts(old), _parts(new)
            same = old.tag == new.tag and len(old_parts) == len(new_parts)
            pending += zip(old_parts, new_parts, strict=False)
    if not same or len(set(twins.values())) != len(twins):
        raise UserError("the edit would change more than intended, so nothing was written", file=before.file)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    return [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else list(node.value)
