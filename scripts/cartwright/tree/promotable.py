"""The configuration of a release: keys that an app declares as promotable, in ``apps/<group>/<app>/promotable.yaml``.

A key is a literal of a ``configMapGenerator`` in the app's overlays, and moves with the image, by the same editor. Each
overlay has it from the beginning: an edit replaces values, and what stands in one overlay alone is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

from cartwright.kernel.errors import UserError
from cartwright.tree.repository import Tree
from cartwright.yaml.compose import STRING, Step, compose
from cartwright.yaml.validate import load_valid

__all__ = [
    "DEFAULTS",
    "SCHEMA",
    "Key",
    "Owned",
    "Setting",
    "check_declarations",
    "declaration_file",
    "read_keys",
    "read_owned",
    "read_settings",
    "read_values",
    "require_setting",
]

SCHEMA = "environments/promotable.schema.json"
DEFAULTS = "environments/owned.yaml"
"""What belongs to each environment whatever the app."""


@dataclass(frozen=True, order=True)
class Key:
    """A promotable key."""

    config_map: str
    """``name`` of the generator."""
    name: str

    def __str__(self) -> str:
        return f"{self.config_map}/{self.name}"


@dataclass(frozen=True)
class Setting:
    """The value of a key in one overlay."""

    value: str
    path: tuple[Step, ...]
    """Where its literal stands in the kustomization."""
    document: int
    line: int


@dataclass(frozen=True)
class Owned:
    """Fields that belong to each environment; patterns as of :mod:`fnmatch`."""

    kind: str
    name: str
    path: str
    reason: str


def declaration_file(app: str) -> str:
    """Where an app (``group/name``) declares them."""
    return f"apps/{app}/promotable.yaml"


def read_keys(tree: Tree, app: str) -> tuple[Key, ...]:
    """The promotable keys of an app (``group/name``); none where it declares none.

    Raises:
        UserError: the file does not fit its schema: file and line.
    """
    file = declaration_file(app)
    if not tree.is_file(file):
        return ()
    return tuple(Key(config_map=one["configMap"], name=one["key"]) for one in _read(tree, file).get("promotable") or ())


def read_owned(tree: Tree, file: str) -> tuple[Owned, ...]:
    """The fields that a file declares to belong to each environment; none where there is no such file.

    Raises:
        UserError: the file does not fit its schema: file and line.
    """
    if not tree.is_file(file):
        return ()
    return tuple(
        Owned(kind=one.get("kind", "*"), name=one.get("name", "*"), path=one["path"], reason=one["reason"])
        for one in _read(tree, file).get("owned") or ()
    )


def check_declarations(tree: Tree, apps: Iterable[str]) -> None:
    """Prove that every declaration can be read.

    Raises:
        UserError: one does not fit the schema (a typo names the nearest key): file and line.
    """
    for file in (DEFAULTS, *(declaration_file(app) for app in sorted(set(apps)))):
        read_owned(tree, file)


def _read(tree: Tree, file: str) -> Mapping[str, list[dict[str, str]]]:
    data: Mapping[str, list[dict[str, str]]] = load_valid(tree.text(file), file, json.loads(tree.text(SCHEMA))) or {}
    return data


def read_settings(text: str, file: str, keys: tuple[Key, ...]) -> dict[Key, Setting]:
    """The values that a kustomization gives to keys; those that it does not set are left out.

    Raises:
        UserError: not YAML, or a key stands twice: file and line.
    """
    if not keys:
        return {}
    found: dict[Key, Setting] = {}
    composition = compose(text, file)
    for document, root in enumerate(composition.documents):
        for number, generator in enumerate(_items(_value(root, "configMapGenerator"))):
            name = _value(generator, "name")
            for index, literal in enumerate(_items(_value(generator, "literals"))):
                if not isinstance(literal, yaml.ScalarNode) or not isinstance(name, yaml.ScalarNode):
                    continue
                label, equals, value = literal.value.partition("=")
                key = Key(config_map=name.value, name=label.strip())
                if not equals or key not in keys:
                    continue
                if key in found:
                    raise composition.error(f"{key} is already in line {found[key].line}", literal)
                found[key] = Setting(
                    value=value,
                    path=("configMapGenerator", number, "literals", index),
                    document=document,
                    line=literal.start_mark.line + 1,
                )
    return found


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.tag == STRING and name.value == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def read_values(text: str | None, file: str, keys: tuple[Key, ...]) -> dict[Key, str]:
    """The values alone; none of an overlay that is not there. Errors as for :func:`read_settings`."""
    return {key: setting.value for key, setting in read_settings(text, file, keys).items()} if text is not None else {}


def require_setting(settings: Mapping[Key, Setting], key: Key, *, file: str, other: str) -> Setting:
    """The setting of a key that another overlay sets.

    Raises:
        UserError: this one does not.
    """
    if key not in settings:
        raise UserError(
            f"has no literal {key}, which is promotable and which {other} sets",
            file=file,
            hint=f"write '{key.name}=…' there once: a promotion only replaces values",
        )
    return settings[key]
