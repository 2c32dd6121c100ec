"""The bases that an overlay refers to outside of its own folder."""

from __future__ import annotations

import posixpath
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.tree.closure import is_remote, join
from cartwright.yaml.read import load_all

__all__ = ["bases_of", "content_of"]


def bases_of(text: str, file: str) -> tuple[str, ...]:
    """The bases that an overlay refers to outside of its own folder, by their path in the repository, in its order.

    Raises:
        UserError: it is not a kustomization: file and line.
    """
    folder = posixpath.dirname(file)
    listed = content_of(text, file).get("resources") or []
    found = [one if is_remote(one) else join(file, one) for one in listed if isinstance(one, str)]
    return tuple(dict.fromkeys(one for one in found if is_remote(one) or not one.startswith(f"{folder}/")))


def content_of(text: str, file: str) -> dict[str, Any]:
    """What a kustomization says. Errors as for :func:`bases_of`."""
    documents = [one for one in load_all(text, file) if one is not None]
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UserError("is not a kustomization (expected one mapping)", file=file)
    content: dict[str, Any] = documents[0]
    return content
