"""A YAML text as nodes that know their exact place, and which of them are shared by anchors and aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from cartwright.kernel.errors import UserError
from cartwright.yaml.scalars import needs_quotes

__all__ = ["MERGE", "STRING", "Composition", "Step", "compose", "compose_fast"]

Step = str | int
STRING = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"
_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SPECIAL = re.compile("[&*!\\t\ufeff]")
"""Marks of anchors, aliases and tags; what libyaml and the slower composer do not read alike."""


@dataclass(frozen=True)
class Composition:
    """Every document of a text."""

    text: str
    file: str
    """What messages call the text."""
    documents: tuple[yaml.Node, ...]
    tokens: dict[int, yaml.ScalarToken] = field(default_factory=dict, repr=False)
    """The token of each scalar, by the index at which it ends: a node's own start includes its anchor and tag."""
    anchors: dict[int, str] = field(default_factory=dict, repr=False)
    """Name of a node's anchor, by the node's ``id``."""
    uses: dict[int, list[int]] = field(default_factory=dict, repr=False)
    """One-based lines of the aliases of a node, by the node's ``id``."""
    aliases: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)
    """One-based line of an alias, by where it stands: ``id`` of the mapping or sequence, and ``id`` of the key node or
    the index."""

    def error(self, message: str, node: yaml.Node, hint: str | None = None) -> UserError:
        """An error at a node's line."""
        return UserError(message, file=self.file, line=node.start_mark.line + 1, hint=hint)

    def is_text(self, node: yaml.Node) -> bool:
        """Whether every reader takes a scalar for a string: ``y`` without quotes is one to YAML 1.2 alone."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != STRING:
            return False
        token = self.tokens.get(node.end_mark.index)
        tagged = token is not None and "!" in self.text[node.start_mark.index : token.start_mark.index]
        return bool(node.style) or tagged or not needs_quotes(node.value)

    def spelled(self, place: Sequence[Step]) -> str:
        """A path as a person writes it: ``images[0].newTag``."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


class _Composer(yaml.SafeLoader):
    """Composes nodes and writes down what PyYAML forgets: scalar tokens, anchors and aliases.

    The pure Python loader, whose marks count the characters of the text, byte order mark included.
    """

    def __init__(self, text: str) -> None:
        self.tokens_by_end: dict[int, yaml.ScalarToken] = {}
        self.anchored: dict[int, str] = {}
        self.uses: dict[int, list[int]] = {}
        self.alias_places: dict[tuple[int, int], int] = {}
        super().__init__(text)

    def scan_to_next_token(self) -> None:
        """Pass over tabs where YAML lets them separate, as Go's reader does and PyYAML's does not."""
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
            while self.peek() in {" ", "\t"}:
                self.forward()
            super().scan_to_next_token()

    def get_token(self) -> Any:
        token = super().get_token()  # type: ignore[no-untyped-call]
        if isinstance(token, yaml.ScalarToken):
            self.tokens_by_end[token.end_mark.index] = token
        return token

    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node: Any = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            self.uses.setdefault(id(node), []).append(mark.line + 1)
            self.alias_places[id(parent), index if isinstance(index, int) else id(index)] = mark.line + 1
        elif getattr(event, "anchor", None):
            self.anchored[id(node)] = event.anchor
        return node


def compose(text: str, file: str) -> Composition:
    """Compose every document.

    Raises:
        UserError: syntax error, or a key that stands twice in one mapping, with file and line.
    """
    composition = _compose(text, file)
    for mapping in _mappings(composition.documents):
        _refuse_twice(composition, mapping)
    return composition


def compose_fast(text: str, file: str) -> Composition:
    """As :func:`compose`, by libyaml where the text has nothing of which only the slower composer keeps the place.

    Without tokens and anchors: to read by, not to edit by.
    """
    if not _SPECIAL.search(text):
        try:
            documents = tuple(node for node in yaml.compose_all(text, Loader=_Fast) if node is not None)
        except (yaml.YAMLError, RecursionError):
            return compose(text, file)  # which says what is wrong with it
        composition = Composition(text=text, file=file, documents=documents)
        for mapping in _mappings(documents):
            _refuse_twice(composition, mapping)
        return composition
    return compose(text, file)


def _compose(text: str, file: str) -> Composition:
    documents: list[yaml.Node] = []
    try:
        loader = _Composer(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                documents.append(node)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"YAML: {error.reason}", file=file, line=line) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"YAML: {problem}", file=file, line=mark.line + 1 if mark else None) from error
    except RecursionError as error:
        raise UserError("YAML: is nested too deeply", file=file) from error
    return Composition(
        text=text,
        file=file,
        documents=tuple(documents),
        tokens=loader.tokens_by_end,
        anchors=loader.anchored,
        uses=loader.uses,
        aliases=loader.alias_places,
    )


def _mappings(documents: Sequence[yaml.Node]) -> Iterator[yaml.MappingNode]:
    """Every mapping once, however often aliases lead to it."""
    pending, seen = list(documents), set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            pending += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            pending += node.value


def _refuse_twice(composition: Composition, mapping: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
            continue
        name = (key.tag, key.value)
        if name in lines:
            raise composition.error(f"YAML: the key '{key.value}' is already in line {lines[name]}", key)
        lines[name] = key.start_mark.line + 1
