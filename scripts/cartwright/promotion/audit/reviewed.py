"""Whether a merged request had the reviews that its environment asked for: the forge is asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import CartwrightError
from cartwright.promotion.audit.changes import Explained, named
from cartwright.promotion.gates.conditions import reviewers
from cartwright.promotion.reviews import MergedReviews

__all__ = ["Reason", "Reviewed"]


@dataclass(frozen=True)
class Reason:
    """One way in which a change went past the gates."""

    code: str
    """What programs read; docs/promotion.md lists them all."""
    sentence: str


class Reviewed:
    """The reviews that stand for approvals, with what could not be verified."""

    def __init__(self, find: Callable[[], tuple[MergedReviews, str]]) -> None:
        """Say where reviews are looked up.

        Args:
            find: gives the forge, and the short name of the branch that requests are for. It is called when a review is
                first asked for, and may raise what says why there is none.
        """
        self._find = find
        self._found: tuple[MergedReviews, str] | None = None
        self._problem: CartwrightError | None = None
        self.unverified: list[tuple[Explained, str]] = []
        """Each change whose reviews nobody could look up, and a sentence that says so and what to run."""

    def judge(self, change: Explained, count: int, settings: Mapping[str, Any]) -> Iterator[Reason]:
        """Whether enough people approved the request that brought a change. Code: ``approvals-missing``."""
        event, found = change.event, None
        try:
            if self._problem is not None:
                raise self._problem
            self._found = self._found or self._find()
            forge, base = self._found
            for commit in dict.fromkeys((event.commit, event.note.commit)):
                found = found or forge.merged_reviews(commit, base)
        except CartwrightError as error:
            self._problem = error  # the others need not wait for the same answer
            what = f"{named(change.release)} of {event.app} in {event.environment}"
            self.unverified.append(
                (
                    change,
                    f"the reviews of {what} were not verified ({error}): "
                    "run `cartwright promote verify` where the forge answers, with a token for it",
                )
            )
            return
        if found is None:
            yield Reason("approvals-missing", f"no request brought it to {base}, so nobody reviewed it")
            return
        people = reviewers(found, settings, known=change.message.approved_by if change.message else ())
        if len(people) < count:
            who = f" ({', '.join(sorted(people))})" if people else ""
            yield Reason(
                "approvals-missing", f"{len(people)} of the {count} reviews that were asked for{who}: {found.url}"
            )
