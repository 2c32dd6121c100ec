"""What the gates ask, as functions of values alone.

`promote` asks them before a commit, `promote verify` asks them again after it. So both sides mean the same: what one
lets through, the other can't call an offence. Each side finds the values by itself, and says the answer in its own
words. What freezes ask stands in `freeze.py`, for the same two sides.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cartwright.history.record import Note
from cartwright.history.release import Pinned
from cartwright.kernel.moments import parse_duration
from cartwright.promotion.approvers import Roster, address_of
from cartwright.promotion.reviews import Reviews
from cartwright.tree.decisions import Hold

__all__ = [
    "FORGE",
    "FORGE_REVIEWS",
    "approvals_asked",
    "approvers",
    "approves",
    "approves_itself",
    "asks_forge",
    "is_soaked",
    "keeps",
    "not_run",
    "reviewers",
    "soak_asked",
    "standing_hold",
]


FORGE = "forge"
"""What ``approvals.from`` says where the forge's reviews count."""
FORGE_REVIEWS = "forge-reviews"
"""Code of a promotion whose approvals are the reviews of its request. It stands in the commit, so it must not change
when a review comes: each new commit would make the reviews of the one before it stale."""


def not_run(release: Iterable[Pinned], running: Iterable[Pinned]) -> tuple[Pinned, ...]:
    """Upstream: the images of a release that an environment does not run at the same content."""
    runs = {pin.image: pin for pin in running}
    return tuple(pin for pin in release if pin.image not in runs or not runs[pin.image].same_content(pin))


def soak_asked(gates: Mapping[str, Any]) -> datetime.timedelta:
    """Soak: how long an environment wants a release to have run.

    Raises:
        UserError: what it asks for is not a duration.
    """
    return parse_duration(str(gates.get("soak", "0s")))


def is_soaked(wanted: datetime.timedelta, *, since: datetime.datetime, now: datetime.datetime) -> bool:
    """Soak: whether what has run since a moment has run long enough. A moment in the future counts as nothing."""
    return not wanted or now - since >= wanted


def standing_hold(holds: Iterable[Hold], app: str, now: datetime.datetime) -> Hold | None:
    """Hold: the decision that holds an app at a moment; of several the one that ends last."""
    standing = [hold for hold in holds if hold.app == app and hold.is_active(now)]
    return max(standing, key=lambda hold: hold.until, default=None)


def keeps(hold: Hold, digests: Iterable[str]) -> bool:
    """Hold: whether a release (its digests as :attr:`Release.digests` gives them) is the one that a hold keeps."""
    return hold.release is not None and set(hold.release.digest.split()) == set(digests)


def approvals_asked(gates: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Approvals: how many an environment asks for, and what else it says of them: ``from``, ``group``, ``signers``."""
    asked = gates.get("approvals", 0)
    settings: Mapping[str, Any] = asked if isinstance(asked, dict) else {"count": asked}
    count = settings.get("count", 1 if asks_forge(settings) else 0)
    return (count if isinstance(count, int) else 0), settings


def asks_forge(settings: Mapping[str, Any]) -> bool:
    """Approvals: whether the reviews of the request are what counts, in place of commits."""
    return settings.get("from") == FORGE


def reviewers(reviews: Reviews, settings: Mapping[str, Any], *, known: Collection[str] = ()) -> dict[str, str]:
    """Approvals: those whose reviews of a request count, each once: ``Name <address>`` by login.

    Not counted are a review of an older commit, one that came after the merge, one by somebody who may not write to the
    repository, and with ``distinct`` one by an author of the request.

    Args:
        known: ``Name <address>`` of people who were found entitled at the merge, and may have left since.
    """
    own = reviews.authors if settings.get("distinct") else frozenset()
    return {
        one.login: one.who
        for one in reviews.approving
        if one.commit == reviews.head and not one.late and (one.entitled or one.who in known) and one.login not in own
    }


def approves(note: Note, app: str, digests: Collection[str]) -> bool:
    """Approvals: whether a commit that approves something approves these digests of an app."""
    moved = (one for message in note.messages if message.approves for one in message.moved)
    return any(one.app == app and set(one.digests) == set(digests) for one in moved)


def approves_itself(committer: str, approved_by: Iterable[str]) -> bool:
    """Approvals: whether the promotion's committer is among those whom ``--approved-by`` names."""
    return address_of(committer) in {address_of(who) for who in approved_by}


def approvers(
    proved: Iterable[tuple[str, str | None]], app: str, *, roster: Roster | None, group: str | None
) -> dict[str, str]:
    """Approvals: those who approved and may do so, each once: ``Name <address>`` by address.

    Args:
        proved: of each commit that approves, who says so, and the address that it is proved to come from.
        app: the app.
        roster: who may; anyone where there is none.
        group: only its members, if given.

    Raises:
        UserError: the roster has no such group.
    """
    may = None if roster is None else roster.approvers(app, group=group)
    found: dict[str, str] = {}
    for who, address in proved:
        if address and (may is None or address in may):
            found.setdefault(address, who)
    return found
