"""Whether a merged request had the reviews that its environment asked for: the forge is asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import CartwrightError
from cartwright.promotion.audit.changes import Explained, named
from cartwright.promotion.gates.conditions import reviewers
from cartwright.promotion.reviews import MergedReviews

__all__ = ["Merged", "Reason", "Reviewed"]


@dataclass(frozen=True)
class Merged:
    """Where the reviews of merged requests are looked up."""

    forge: MergedReviews
    base: str
    """Short name of the branch that requests are for."""
    contains: Callable[[str], bool]
    """Whether that branch of the remote has a commit: the check of a request sees some that it does not have yet."""


@dataclass(frozen=True)
class Reason:
    """One way in which a change went past the gates."""

    code: str
    """What programs read; docs/promotion.md lists them all."""
    sentence: str


class Reviewed:
    """The reviews that stand for approvals, with what could not be verified."""

    def __init__(self, find: Callable[[], Merged]) -> None:
        """Say where reviews are looked up.

        Args:
            find: called when a review is first asked for. It may raise what says why none can be looked up.
        """
        self._find = find
        self._merged: Merged | None = None
        self._problem: CartwrightError | None = None
        self.unverified: list[tuple[Explained, str]] = []
        """Each change whose reviews nobody could look up, and a sentence that says so and what to run."""

    def judge(self, change: Explained, count: int, settings: Mapping[str, Any]) -> Iterator[Reason]:
        """Whether enough people approved the request that brought a change. Code: ``approvals-missing``."""
        event, found = change.event, None
        try:
            if self._problem is not None:
                raise self._problem
            merged = self._merged = self._merged or self._find()
            if not merged.contains(event.commit):
                self._leave(change, f"it is not on {merged.base} yet", "after the merge")
                return
            for commit in dict.fromkeys((event.commit, event.note.commit)):
                found = found or merged.forge.merged_reviews(commit, merged.base)
        except CartwrightError as error:
            self._problem = error  # the others need not wait for the same answer
            self._leave(change, str(error), "where the forge answers, with a token for it")
            return
        if found is None:
            yield Reason("approvals-missing", f"no request brought it to {merged.base}, so nobody reviewed it")
            return
        people = reviewers(found, settings, known=change.message.approved_by if change.message else ())
        if len(people) < count:
            who = f" ({', '.join(sorted(people))})" if people else ""
            yield Reason(
                "approvals-missing", f"{len(people)} of the {count} reviews that were asked for{who}: {found.url}"
            )

    def _leave(self, change: Explained, why: str, when: str) -> None:
        what = f"{named(change.release)} of {change.event.app} in {change.event.environment}"
        words = f"the reviews of {what} were not verified ({why}): run `cartwright promote verify` {when}"
        self.unverified.append((change, words))
