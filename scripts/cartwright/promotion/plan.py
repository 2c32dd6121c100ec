"""A plan: what an intent comes to on one commit."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cartwright.history.record import Record, read_record
from cartwright.history.snapshot import Snapshot
from cartwright.history.trailers import Message, Moved
from cartwright.kernel.errors import UserError
from cartwright.promotion import intents
from cartwright.promotion.moves import ALL, FileEdit, Move
from cartwright.tree.environments import Environment

if TYPE_CHECKING:
    from cartwright.promotion.inforce import InForce

__all__ = ["Context", "Plan"]


@dataclass(frozen=True)
class Context:
    """Where and when an intent is planned."""

    snapshot: Snapshot
    by: str
    """Who does it: ``Name <address>``, as Git will write the committer."""
    now: datetime.datetime
    approved_by: tuple[str, ...] = ()
    """People that ``--approved-by`` names."""

    @cached_property
    def record(self) -> Record:
        """What ran where and since when; read when it is first asked for.

        Raises:
            ToolError: git can't read the history.
        """
        clusters = {one.cluster: one.name for one in self.snapshot.environments.values()}
        return read_record(self.snapshot.root, self.snapshot.head.commit, clusters=clusters, now=self.now)

    @cached_property
    def in_force(self) -> InForce:
        """What environments ask for, with what was taken out without leave. Errors as for :attr:`record`."""
        from cartwright.promotion.inforce import InForce  # it asks the gates' conditions, and their package plans

        return InForce(self.record, self.snapshot.tree, self.snapshot.root)


@dataclass(frozen=True)
class Plan:
    """An intent, worked out on one commit: ready to be judged, shown and committed."""

    intent: intents.Intent
    snapshot: Snapshot
    operation: str
    """As in :attr:`cartwright.history.trailers.Message.operation`."""
    target: Environment
    source: str | None = None
    """The environment that the release comes from, if it comes from one."""
    moves: tuple[Move, ...] = ()
    """Every app that was asked for, in order."""
    edits: tuple[FileEdit, ...] = ()
    """Every file that changes."""
    apps: tuple[str, ...] = ()
    """For a decision: the apps that it is about."""
    reason: str | None = None
    until: datetime.datetime | None = None
    unreadable: tuple[tuple[str, UserError], ...] = ()
    """Apps that can't be promoted, and why; they keep no other app back."""
    asked: str | None = None
    """For an approval of gates: what they are, as the trailer ``Asked`` says it."""

    @property
    def is_noop(self) -> bool:
        """Whether everything is as it is wanted already. Of approvals and decisions it is the commit that counts."""
        return not self.edits and self.operation in {"promote", "set", "rollback"}

    @property
    def changed(self) -> tuple[Move, ...]:
        """The apps that get another release, or that an approval is about."""
        return self.moves if self.operation == "approve" else tuple(move for move in self.moves if move.changes)

    def only(self, apps: Iterable[str]) -> Plan:
        """The same plan for some of its apps."""
        kept = set(apps)
        moves = tuple(move for move in self.moves if move.app in kept)
        files = {move.file for move in moves}
        folders = tuple(f"{move.application.path}/" for move in moves)
        edits = tuple(one for one in self.edits if one.path in files or one.path.startswith(folders))
        return replace(self, moves=moves, edits=edits)

    def message(self) -> Message:
        """The commit's message, without what the gates said."""
        return Message(
            subject=_subject(self),
            source=self.source if self.operation == "promote" else None,
            target=self.target.name,
            moved=tuple(
                Moved(
                    app=move.app,
                    tags=move.release.tags,
                    digests=move.release.digests,
                    tree=move.release.tree.id if move.release.tree else None,
                    only=next(iter(move.parts)) if move.parts != ALL and move.release.tree else None,
                )
                for move in self.changed
            )
            or tuple(Moved(app=app) for app in self.apps),
            registry=_registry(self.intent),
            set_name=self.intent.set_name if isinstance(self.intent, intents.Promote) else None,
            rollback_reason=self.reason if self.operation == "rollback" else None,
            approves=self.operation == "approve",
            decision=self.operation if isinstance(self.intent, _DECISIONS) else None,
            reason=self.reason if isinstance(self.intent, _DECISIONS) else None,
            until=self.until,
            asked=self.asked,
        )


_DECISIONS = (
    intents.Hold,
    intents.ReleaseHold,
    intents.Freeze,
    intents.Unfreeze,
    intents.Withdraw,
    intents.ApproveGates,
)


def _registry(intent: intents.Intent) -> str | None:
    asked = not isinstance(intent, intents.SetImage) or intent.confirmed
    return None if asked else "not-asked"


def _subject(plan: Plan) -> str:
    """The commit's first line: what moves where; the apps by number where their names would not fit."""
    moved = plan.changed
    names = [f"{move.app} {', '.join(move.release.tags)}" for move in moved] or list(plan.apps)
    if isinstance(plan.intent, intents.Promote) and plan.intent.set_name is not None:
        what = f"set {plan.intent.set_name} ({len(moved)} apps)"
    else:
        what = names[0] if len(names) == 1 else f"{len(names)} apps"
    target = plan.target.name
    return {
        "promote": f"Promote {what} from {plan.source} to {target}",
        "set": f"Set {what} in {target}",
        "rollback": f"Roll {what} back in {target}" if not moved else f"Roll back to {what} in {target}",
        "approve": f"Approve {what} for {target}",
        "hold": f"Hold {what} in {target}",
        "release-hold": f"Release the hold on {what} in {target}",
        "freeze": f"Freeze {target}",
        "unfreeze": f"Unfreeze {target}",
        "approve-gates": f"Approve the gates of {target}",
        "withdraw": f"Withdraw the approval of {what} for {target}",
    }[plan.operation]
