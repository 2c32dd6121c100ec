"""What a forge knows of the reviews of a request: who approved which commit of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["MergedReviews", "Review", "Reviews"]


@dataclass(frozen=True)
class Review:
    """A person's last word on a request, where it approves."""

    login: str
    """The person's name on the forge."""
    who: str
    """``Name <address>``, with the address that the forge gives to the person's own commits."""
    commit: str
    """The commit that was reviewed; empty where the forge knows no more than that it was an older one."""
    late: bool = False
    """Whether it came after the merge."""
    entitled: bool = True
    """Whether the person may write to the repository: on a public one everybody may review."""


@dataclass(frozen=True)
class Reviews:
    """The approving reviews of a request."""

    url: str
    head: str
    """The newest commit of the request's branch; for a merged request the one that was merged."""
    authors: frozenset[str]
    """Logins of who opened the request and who wrote its commits."""
    approving: tuple[Review, ...] = ()


class MergedReviews(Protocol):
    """Where the reviews of merged requests are looked up."""

    def merged_reviews(self, commit: str, base: str, /) -> Reviews | None:
        """The reviews of the merged request that brought a commit to a branch; None where none did.

        Raises:
            ForgeError: the forge refuses, or can't be reached.
        """
