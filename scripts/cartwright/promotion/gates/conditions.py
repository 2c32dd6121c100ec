"""What the gates ask, as functions of values alone.

`promote` asks them before a commit, `promote verify` asks them again after it. So both sides mean the same: what one
lets through, the other can't call an offence. Each side finds the values by itself, and says the answer in its own
words. What freezes ask stands in `freeze.py`, for the same two sides.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from cartwright.history.pinned import Pinned
from cartwright.history.record import Event, Note
from cartwright.history.trailers import NOT_ASKED
from cartwright.kernel.moments import parse_duration
from cartwright.promotion.approvers import Roster, address_of
from cartwright.promotion.reviews import Reviews
from cartwright.tree.decisions import Hold

__all__ = [
    "FORGE",
    "FORGE_REVIEWS",
    "Approval",
    "approval_lasts",
    "approvals_asked",
    "approvers",
    "approves_itself",
    "approving",
    "asks_forge",
    "is_soaked",
    "jobs_asked",
    "keeps",
    "not_run",
    "other_config",
    "reviewers",
    "rolled_back",
    "soak_asked",
    "standing_hold",
    "unproved",
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


def other_config(wanted: str | None, running: str | None) -> bool:
    """Upstream: whether an environment runs another configuration than a release's; one that does not move is none."""
    return wanted is not None and wanted != running


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


def jobs_asked(gates: Mapping[str, Any], app: str) -> tuple[str, ...]:
    """Verification: the Jobs and hooks that an environment wants to have succeeded for an app."""
    asked = gates.get("verification") or ()
    jobs = [one if isinstance(one, str) else one["job"] for one in asked if _is_asked_of(one, app)]
    return tuple(dict.fromkeys(jobs))


def unproved(gates: Mapping[str, Any], app: str, said: Mapping[str, str]) -> tuple[str, ...]:
    """The gates that an environment asks of an app, that Git can't answer, and of which the trailers say nothing.

    Args:
        gates: what the environment asks.
        app: ``group/name``.
        said: the trailer ``Gates``.
    """
    asked = {
        "health": gates.get("health") is True,
        "verification": bool(jobs_asked(gates, app)),
        "registry": gates.get("registry") is True,
        "signatures": bool(gates.get("signatures")),
    }
    return tuple(name for name, is_asked in asked.items() if is_asked and said.get(name, NOT_ASKED) == NOT_ASKED)


def approvals_asked(gates: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Approvals: how many an environment asks for, and what else it says of them: ``from``, ``group``, ``signers``."""
    asked = gates.get("approvals", 0)
    settings: Mapping[str, Any] = asked if isinstance(asked, dict) else {"count": asked}
    count = settings.get("count", 1 if asks_forge(settings) else 0)
    return (count if isinstance(count, int) else 0), settings


def approval_lasts(settings: Mapping[str, Any]) -> datetime.timedelta:
    """Approvals: how long one counts. Seven days where the environment does not say.

    Raises:
        UserError: what it says is not a duration.
    """
    return parse_duration(str(settings.get("expires", "7d")))


def rolled_back(events: Iterable[Event], release: Collection[Pinned], config: str | None = None) -> int:
    """Approvals: the place of the last commit that took a release back for one that had run before; -1 where none did.

    Args:
        events: all changes of the app in the environment until then, newest first.
        release: the images of the release.
        config: its configuration; None where images alone are known.
    """
    earlier: list[Event] = []

    def runs(pins: tuple[Pinned, ...] | None, its: str | None) -> bool:
        return bool(pins or its) and not not_run(release, pins or ()) and not (its and other_config(config, its))

    found = -1
    for event in reversed(list(events)):
        ran = not event.problem and any(_is_same(event, one) for one in earlier)
        if ran and runs(event.before, event.before_config) and not runs(event.after, event.config):
            found = event.index
        if event.after or event.tree:
            earlier.append(event)
    return found


def approving(
    notes: Iterable[Note], app: str, digests: Collection[str], *, tree: str | None = None, after: int
) -> Iterator[Note]:
    """Approvals: the commits that approve these digests of an app, and those that withdraw approvals of it, in order.

    Args:
        notes: the commits that approve or withdraw for the environment, oldest first.
        app: ``group/name``.
        digests: as :attr:`Release.digests` gives them.
        tree: id of the release; an approval that names another one is none of this.
        after: the place of the last rollback of that release: what was approved up to there counts no more.
    """
    for note in notes:
        for message in note.messages:
            for one in message.moved:
                same = message.approves and set(one.digests) == set(digests) and one.tree in {None, tree}
                if one.app == app and note.landed > after and (message.decision == "withdraw" or same):
                    yield note


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


def approves_itself(committer: str, approved_by: Iterable[str]) -> bool:
    """Approvals: whether the promotion's committer is among those whom ``--approved-by`` names."""
    return address_of(committer) in {address_of(who) for who in approved_by}


@dataclass(frozen=True)
class Approval:
    """What a commit says about a release, or about all releases of the app where it withdraws."""

    who: str
    """As the trailer ``Approved-By`` says it."""
    address: str | None
    """The address that it is proved to come from; None where none is."""
    at: datetime.datetime
    """When it landed."""
    withdraws: bool = False

    @staticmethod
    def of(note: Note, address: str | None, *, signed: bool, at: datetime.datetime) -> Approval:
        """What a commit says.

        Args:
            note: the commit.
            address: the address that it is proved to come from.
            signed: whether a verified signature proves that, or the committer's line alone says it.
            at: when it landed.
        """
        who = f"{address} (signed)" if signed else f"{note.committer} (not signed)"
        return Approval(who=who, address=address, at=at, withdraws=_withdraws(note))


def approvers(
    approvals: Iterable[Approval],
    app: str,
    *,
    roster: Roster | None,
    settings: Mapping[str, Any],
    moment: datetime.datetime,
    promoters: Collection[str],
) -> dict[str, str]:
    """Approvals: those whose approval counts at a moment, each once: :attr:`Approval.who` by address.

    Args:
        approvals: what was said, in the order of the history.
        app: the app.
        roster: who may; anyone where there is none.
        settings: what the environment asks of approvals: ``group``, ``expires``, ``distinct``.
        moment: an approval that is as old as ``expires`` by then counts no more.
        promoters: addresses of whoever promotes: with ``distinct`` their own approval does not count.

    Raises:
        UserError: the roster has no such group, or ``expires`` is not a duration.
    """
    may = None if roster is None else roster.approvers(app, group=settings.get("group"))
    lasts = approval_lasts(settings)
    found: dict[str, str] = {}
    for one in approvals:
        if not one.address or (settings.get("distinct") and one.address in promoters):
            continue
        if one.withdraws:
            found.pop(one.address, None)
        elif (may is None or one.address in may) and moment - one.at < lasts:
            found[one.address] = one.who
    return found


def _is_asked_of(entry: Any, app: str) -> bool:
    return isinstance(entry, str) or fnmatchcase(app, entry["apps"])


def _withdraws(note: Note) -> bool:
    return note.message is not None and note.message.decision == "withdraw"


def _is_same(one: Event, other: Event) -> bool:
    mine, theirs = one.after or (), other.after or ()
    known = one.config is None or other.config is None or one.config == other.config
    return known and bool(mine or one.tree) and not not_run(mine, theirs) and not not_run(theirs, mine)
