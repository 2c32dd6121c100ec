"""What a registry refuses, with a code that programs can act on."""

from __future__ import annotations

from cartwright.kernel.errors import Blocked

__all__ = ["RegistryError"]

_USER_MENDS = frozenset({"unauthorized", "not-found", "no-tag"})


class RegistryError(Blocked):
    """A registry can't or doesn't confirm what it was asked for; the message says why, ``code`` says it to programs.

    Codes: ``unauthorized``, ``not-found``, ``no-tag``, ``rate-limited``, ``unavailable``, ``slow``, ``unreachable``,
    ``untrusted``, ``wrong-digest``, ``no-platform``, ``no-image``, ``tag-moved``. Exit code 2 for what the
    user's own words or credentials cause, else 1.
    """

    def __init__(self, code: str, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.exit_code = 2 if code in _USER_MENDS else 1
        self.retry_after = retry_after
        """Seconds that the registry asks to wait."""

    @property
    def is_transient(self) -> bool:
        """Whether asking again may help."""
        return self.code in {"rate-limited", "unavailable", "slow", "unreachable"}
