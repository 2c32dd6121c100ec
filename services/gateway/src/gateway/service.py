"""What gateway does with a request it has let in: pass it on, and pass back the answer."""

from collections.abc import Mapping
from typing import ClassVar

import httpx

from cartwright_kit import PROBLEM_MEDIA_TYPE, HttpClient, UpstreamFailed

# Named, not excluded: a header that nobody thought of stays outside, in both directions.
_REQUEST_HEADERS = ("Accept", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match")
_RESPONSE_HEADERS = ("Cache-Control", "Content-Type", "ETag", "Location", "Retry-After")
_MEDIA_TYPES = frozenset({"application/json", PROBLEM_MEDIA_TYPE})


class CatalogUpstream(HttpClient):
    """The catalog service."""

    name: ClassVar[str] = "catalog"


class OrdersUpstream(HttpClient):
    """The orders service."""

    name: ClassVar[str] = "orders"


async def forward(
    upstream: HttpClient, method: str, path: str, *, query: str, headers: Mapping[str, str], body: bytes
) -> httpx.Response:
    """Send a request on. The response has only the headers that clients may see.

    Raises UpstreamUnavailable, UpstreamTimeout, and UpstreamFailed, also for a body that is not JSON: it came from
    something other than the service.
    """
    answer = await upstream.request(
        method,
        f"{path}?{query}" if query else path,
        content=body or None,
        headers={name: value for name in _REQUEST_HEADERS if (value := headers.get(name)) is not None},
    )
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if answer.content and media_type not in _MEDIA_TYPES:
        raise UpstreamFailed(f"{upstream.name} answered with {media_type or 'an unnamed type'} instead of JSON.")
    kept = {name: value for name in _RESPONSE_HEADERS if (value := answer.headers.get(name)) is not None}
    return httpx.Response(answer.status_code, headers=kept, content=answer.content)
