"""Recipes of images that are made of Debian's packages: ``tools/images/<name>/recipe.toml``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError, nearest

__all__ = ["Recipe", "load_recipes"]

_FOLDER = "tools/images"
_BUILDERS = ("debian.py", "mmdebstrap.py")
"""The modules beside this one that decide how a recipe becomes an image."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(_is_text(one) for one in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _are_accounts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, dict) and set(one) == {"id", "home"} and type(one["id"]) is int and _is_text(one["home"])
        for one in value.values()
    )


@dataclass(frozen=True)
class Recipe:
    """What an image is made of."""

    name: str
    """Name of its folder."""
    repository: str
    """Last part of the image's name."""
    stands_in_for: str
    """The image that manifests name; empty for one that no manifest names."""
    packages: tuple[str, ...]
    version_of: str
    """The package whose version is the image's; empty where `tag` is given."""
    tag: str
    """The image's tag, where it is not a package's version."""
    bare: bool
    """Only the packages' files that are kept, without a system around them."""
    keep: tuple[str, ...]
    links: tuple[str, ...]
    """Names under which the first kept file is found too."""
    user: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    stop_signal: str
    environment: Mapping[str, str]
    accounts: Mapping[str, Mapping[str, Any]]
    """Users that must have a name, with ``id`` and ``home``."""
    files: Mapping[str, str]
    """File beside the recipe → path in the image."""
    remove: tuple[str, ...]
    """Absolute paths that are not in the image, above all what a package draws at random when it is installed."""
    folder: Path

    @property
    def key(self) -> str:
        """Hash of all that the image is made from, packages' content apart."""
        parts = [
            (self.folder / "recipe.toml").read_bytes(),
            *((self.folder / name).read_bytes() for name in self.files),
        ]
        parts += [Path(__file__).with_name(name).read_bytes() for name in _BUILDERS]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def load_recipes(root: Path) -> dict[str, Recipe]:
    """Every recipe by name.

    Raises:
        UserError: one is malformed; names the file and the key.
    """
    return {file.parent.name: _load(file, root=root) for file in sorted((root / _FOLDER).glob("*/recipe.toml"))}


_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("repository", "stands-in-for", "version-of", "tag", "user", "stop-signal"), ("a text", _is_text)),
    **dict.fromkeys(("packages", "keep", "links", "entrypoint", "command", "remove"), ("a list of texts", _are_texts)),
    **dict.fromkeys(("environment", "files"), ("a table of texts", _is_table)),
    "bare": ("true or false", lambda value: isinstance(value, bool)),
    "accounts": ("a table of tables with id, a number, and home, a text", _are_accounts),
}
"""Key → what its value must be, in words and as a test."""


def _load(file: Path, *, root: Path) -> Recipe:
    shown = file.relative_to(root)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(str(error), file=shown) from error
    for key, value in data.items():
        if key not in _KINDS:
            raise UserError(f"unknown key '{key}'", file=shown, hint=nearest(key, _KINDS))
        words, fits = _KINDS[key]
        if not fits(value):
            raise UserError(f"{key} must be {words}", file=shown)
    for key in ("repository", "packages", "user"):
        if key not in data:
            raise UserError(f"{key} is missing", file=shown)
    if ("tag" in data) == ("version-of" in data):
        raise UserError("set either tag or version-of", file=shown)
    if data.get("bare") and not data.get("keep"):
        raise UserError("keep is missing, and bare keeps only what it lists", file=shown)
    for name in data.get("files", {}):
        if not (file.parent / name).is_file():
            raise UserError(f"files: {name} is missing beside it", file=shown)
    return Recipe(
        name=file.parent.name,
        repository=data["repository"],
        stands_in_for=data.get("stands-in-for", ""),
        packages=tuple(data["packages"]),
        version_of=data.get("version-of", ""),
        tag=data.get("tag", ""),
        bare=data.get("bare", False),
        keep=tuple(data.get("keep", ())),
        links=tuple(data.get("links", ())),
        user=data["user"],
        entrypoint=tuple(data.get("entrypoint", ())),
        command=tuple(data.get("command", ())),
        stop_signal=data.get("stop-signal", "SIGTERM"),
        environment=data.get("environment", {}),
        accounts=data.get("accounts", {}),
        files=data.get("files", {}),
        remove=tuple(data.get("remove", ())),
        folder=file.parent,
    )
