"""The tags of a repository. Registries give them in pages; each names the next one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cartwright.registry.api import Api
from cartwright.registry.errors import RegistryError

if TYPE_CHECKING:
    import requests

__all__ = ["list_tags"]


def list_tags(api: Api) -> tuple[str, ...]:
    """Every tag of the repository, as the registry orders them.

    Raises:
        RegistryError: there is no such repository, the list can't be read, or its pages go round in a circle.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    page: str | None = "tags/list"
    while page is not None:
        if page in seen:
            raise RegistryError("unavailable", f"{api.image}: the registry's list of tags has no end")
        seen.add(page)
        content, page = _page(api, page)
        found.update(dict.fromkeys(_tags(api, content)))
    return tuple(found)


def _page(api: Api, path: str) -> tuple[bytes, str | None]:
    """One page, and the path of the next."""

    def take(response: requests.Response) -> tuple[bytes, str | None]:
        following = response.links.get("next", {}).get("url")
        if not following:
            return api.body(response), None
        # Path and query alone: our credentials go to the registry that was asked, whatever host it names.
        parts = urlsplit(following)
        return api.body(response), f"{parts.path}{f'?{parts.query}' if parts.query else ''}"

    return api.patiently(lambda: api.request("GET", path, take=take, missing="no such repository"))


def _tags(api: Api, content: bytes) -> Iterator[str]:
    try:
        data = json.loads(content)
    except ValueError as error:
        raise RegistryError("unavailable", f"{api.image}: the registry's list of tags is not JSON") from error
    listed = data.get("tags") if isinstance(data, dict) else None
    # A repository whose last tag was removed has null.
    if not isinstance(data, dict) or not isinstance(listed, list | None):
        raise RegistryError("unavailable", f"{api.image}: the registry's list of tags is not a list")
    yield from (tag for tag in listed or () if isinstance(tag, str))
