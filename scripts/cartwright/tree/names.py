"""Whose repository this is, ``names.yaml``: the one place that code reads these names from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cartwright.kernel.errors import UserError
from cartwright.tree.repository import Tree
from cartwright.yaml.validate import load_valid

__all__ = ["FILE", "Names", "read_names"]

FILE = "names.yaml"
_KEYS = ("organisation", "repository", "registry")
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": list(_KEYS),
    "properties": {
        **{key: {"type": "string"} for key in _KEYS},
        "formerly": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["registry"],
                "properties": {"registry": {"type": "string"}},
            },
        },
    },
}
_HOST = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
_ORGANISATION = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:/[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)*", re.ASCII)
_REPOSITORY = re.compile(rf"https://{_HOST}(?:/[A-Za-z0-9_](?:[\w.~-]*[\w-])?)+", re.ASCII)
_REGISTRY = re.compile(rf"(?=[^/]*[.:]|localhost/){_HOST}(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What differs from one owner of the repository to the next.

    Raises:
        UserError: a value is not of its form. It names the value and an example, and no place.
    """

    organisation: str
    """The organisation or group of the teams that own code, such as ``example``."""
    repository: str
    """The repository's address for people, such as ``https://git.example.com/shop``; without ``.git``."""
    registry: str
    """Registry and path that the services' images begin with, such as ``registry.example.com/shop``."""
    former: tuple[str, ...] = ()
    """What they began with before. Git's history names images so, and their digests are the same."""

    def today(self, image: str) -> str:
        """What an image of the history is called now."""
        for before in self.former:
            if image.startswith(f"{before}/"):
                return self.registry + image.removeprefix(before)
        return image

    def __post_init__(self) -> None:
        if not _ORGANISATION.fullmatch(self.organisation):
            raise UserError(f"'{self.organisation}' is not the name of an organisation", hint="such as example")
        if not _REPOSITORY.fullmatch(self.repository) or self.repository.endswith(".git"):
            example = "such as https://git.example.com/shop"
            raise UserError(f"'{self.repository}' is not the HTTPS address of a repository", hint=example)
        if not _REGISTRY.fullmatch(self.registry):
            example = "such as registry.example.com/shop"
            raise UserError(f"'{self.registry}' is not a registry and a path in lower case", hint=example)


def read_names(tree: Tree) -> Names:
    """The names of a repository.

    Raises:
        UserError: the file is missing, has another key, or a value is not of its form: file and line.
    """
    text = tree.text(FILE)
    data = dict(load_valid(text, FILE, _SCHEMA))
    former = tuple(one["registry"] for one in data.pop("formerly", ()))
    try:
        return Names(**data, former=former)
    except UserError as error:
        raise UserError(error.message, file=FILE, hint=error.hint) from error
