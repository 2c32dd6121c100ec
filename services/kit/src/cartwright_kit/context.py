"""The identity of the request being handled, known to logs, problem documents and outgoing calls."""

import re
import uuid
from contextvars import ContextVar, Token

REQUEST_ID_HEADER = "X-Request-ID"

_ACCEPTED = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str | None:
    """The id of the request being handled, or None outside of one."""
    return _request_id.get()


def begin_request(offered: str | None) -> Token[str | None]:
    """Start a request under the caller's id if that is safe to log and pass on, else under a new one."""
    accepted = offered if offered and _ACCEPTED.fullmatch(offered) else uuid.uuid4().hex
    return _request_id.set(accepted)


def end_request(token: Token[str | None]) -> None:
    """Forget the request that `begin_request` started."""
    _request_id.reset(token)
