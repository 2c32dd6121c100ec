"""Delivering an intent: plan it on the newest commit, ask every gate, commit, and land; again where a race was lost.

The loser of a race re-applies its intent, never its diff: the plan is made anew on the new head and every gate is asked
again. What it does not do is overwrite what came meanwhile: where the target got another release of the same app, the
loser says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import tenacity

from cartwright.history.git import Head, identity
from cartwright.history.release import Release
from cartwright.history.snapshot import open_snapshot
from cartwright.history.trailers import NOT_ASKED, PASSED, Message
from cartwright.kernel.errors import Blocked, UserError
from cartwright.kernel.moments import one_line
from cartwright.promotion.approvers import address_of
from cartwright.promotion.companions import name_companions
from cartwright.promotion.evidence import Sources
from cartwright.promotion.gates import in_force, judge, next_time
from cartwright.promotion.gates.approvals import signer_keys
from cartwright.promotion.intents import Intent, Promote
from cartwright.promotion.land.commit import build_commit, write_contents
from cartwright.promotion.land.moved import BranchMovedError
from cartwright.promotion.moves import FileEdit
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.planning import make_plan
from cartwright.promotion.signers import signer
from cartwright.promotion.verdict import Verdict

__all__ = ["Destination", "Permission", "Result", "deliver", "parse_break_glass"]

_SECONDS = 180
"""How long a run keeps trying while others land."""

_NEVER = frozenset({"registry-tag-moved", "registry-wrong-digest"})
"""Codes that break-glass does not pass: what is deployed in an emergency must still be what it is called."""


class Destination(Protocol):
    """Where the commit goes: the branch of the work tree, or that of a remote."""

    def prepared(self) -> AbstractContextManager[Path]:
        """Make ready, and give a folder for files that are made on the way."""

    def name(self, head: Head) -> str:
        """What people call it."""

    def head(self) -> Head:
        """The newest commit."""

    def require(self, head: Head, paths: list[str]) -> None:
        """Prove that a commit of these files may land. Raises Blocked."""

    def land(
        self,
        folder: Path,
        /,
        *,
        head: Head,
        commit: str,
        subject: str,
        edits: Sequence[FileEdit],
        contents: Mapping[str, str | None],
    ) -> None:
        """Put the commit there. Raises BranchMovedError where the branch is not at ``head`` any more."""

    def contains(self, head: Head, commit: str) -> bool:
        """Whether a commit is in the history of the head."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What a person takes upon themself."""

    break_glass: str | None = None
    """``name: reason``: every gate is passed, but a digest that is not what its tag says stays refused."""
    override_hold: str | None = None
    """The reason for which holds are passed over."""
    approved_by: tuple[str, ...] = ()
    """Addresses, or ``Name <address>``, of those who approve by committing."""

    def passes(self, verdict: Verdict) -> bool:
        """Whether the promotion may go on."""
        if verdict.passed or (verdict.gate == "hold" and self.override_hold):
            return True
        return self.break_glass is not None and verdict.code not in _NEVER


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of an intent."""

    plan: Plan
    status: str
    """``promoted`` (committed), ``planned`` (a dry run), ``unchanged`` (nothing to do) or ``blocked``."""
    verdicts: tuple[Verdict, ...] = ()
    """Every gate's, for every app that gets another release."""
    waiting: tuple[Verdict, ...] = ()
    """With ``--all``: the verdicts that keep other apps back."""
    next_time: datetime.datetime | None = None
    """When a blocked promotion could go by itself."""
    message: Message | None = None
    """The commit's message."""
    commit: str | None = None
    """The commit's id."""
    destination: str | None = None
    """Where it landed, for people."""
    attempts: int = 1
    """How often it was planned."""


@dataclass
class _Race:
    """What one run remembers from attempt to attempt."""

    first: dict[str, Release] = field(default_factory=dict)
    """What the target ran of each app when the intent was planned first."""
    built: list[tuple[str, Result]] = field(default_factory=list)
    """Commits that were made and may have landed without an answer."""
    attempts: int = 0


def deliver(
    root: Path,
    intent: Intent,
    *,
    destination: Destination,
    sources: Sources,
    permission: Permission | None = None,
    dry_run: bool = False,
    clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
) -> Result:
    """Do what an intent says, as one commit or not at all.

    Raises:
        UserError: the intent can't be planned, see :func:`cartwright.promotion.planning.make_plan`; or Git does not
            know who commits.
        Blocked: the destination refuses, or others keep landing, or the target got another release meanwhile.
    """
    permission = permission or Permission()
    by = _committer(root, dry_run=dry_run)
    if permission.break_glass is not None:
        parse_break_glass(permission.break_glass)
    for who in permission.approved_by:
        if address_of(who) != address_of(by):
            raise UserError(
                f"--approved-by {who}: an approval counts only in the approver's own commit, and this one is by {by}",
                hint="let them run `cartwright promote approve`",
            )
    race = _Race()
    # A dry run takes no lock and makes no folder: it changes nothing at all.
    with nullcontext(root) if dry_run else destination.prepared() as folder:
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(BranchMovedError),
            stop=tenacity.stop_after_delay(_SECONDS),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=4),
            retry_error_callback=_give_up,
        ):
            with attempt:
                race.attempts += 1
                return _attempt(
                    root,
                    intent,
                    race,
                    folder,
                    by=by,
                    destination=destination,
                    sources=sources,
                    permission=permission,
                    dry_run=dry_run,
                    # Git keeps whole seconds, and the commit carries this moment.
                    now=clock().replace(microsecond=0),
                )
    raise AssertionError


def _give_up(state: tenacity.RetryCallState) -> None:
    tried = f"gave up after {state.attempt_number} attempts: the branch keeps moving"
    raise Blocked(f"{tried}. Nothing was promoted; run it again")


def _attempt(
    root: Path,
    intent: Intent,
    race: _Race,
    folder: Path,
    *,
    by: str,
    destination: Destination,
    sources: Sources,
    permission: Permission,
    dry_run: bool,
    now: datetime.datetime,
) -> Result:
    head = destination.head()
    for commit, result in race.built:
        if destination.contains(head, commit):
            return result
    context = Context(snapshot=open_snapshot(root, head), by=by, now=now, approved_by=permission.approved_by)
    plan = make_plan(intent, context)
    _refuse_overtaken(plan, context, race)
    if plan.is_noop:
        return Result(plan=plan, status="unchanged", waiting=_unreadable(plan), attempts=race.attempts)
    verdicts = judge(plan, context, sources, passes=permission.passes)
    verdicts = name_companions(plan, context, verdicts)
    waiting = _unreadable(plan)
    if isinstance(intent, Promote) and intent.everything:
        held_back = {one.app for one in verdicts if not permission.passes(one)}
        if len(held_back) < len(plan.changed):
            waiting += tuple(one for one in verdicts if one.app in held_back and not one.passed)
            plan = plan.only(move.app for move in plan.moves if move.app not in held_back)
            verdicts = tuple(one for one in verdicts if one.app not in held_back)
    message = _message(plan, verdicts, permission)
    result = Result(
        plan=plan,
        status="planned",
        verdicts=verdicts,
        waiting=waiting,
        message=message,
        attempts=race.attempts,
    )
    if not all(map(permission.passes, verdicts)):
        return replace(result, status="blocked", next_time=next_time(plan, context, verdicts))
    if dry_run:
        return result
    destination.require(head, [one.path for one in plan.edits])
    contents = write_contents(root, folder, plan.edits) if plan.edits else {}
    commit = build_commit(
        root,
        folder,
        parent=head.commit,
        edits=plan.edits,
        contents=contents,
        message=message.render(),
        at=context.now,
    )
    _prove_own_approval(root, commit, plan, context, verdicts)
    result = replace(result, status="promoted", commit=commit, destination=destination.name(head))
    race.built.append((commit, result))
    destination.land(folder, head=head, commit=commit, subject=message.subject, edits=plan.edits, contents=contents)
    return result


def _unreadable(plan: Plan) -> tuple[Verdict, ...]:
    """What keeps apps back that can't be read, as a verdict on each."""
    return tuple(
        Verdict(gate="release", code="release-unreadable", passed=False, sentence=str(error), app=app)
        for app, error in plan.unreadable
    )


def _committer(root: Path, *, dry_run: bool) -> str:
    try:
        return identity(root)
    except UserError:
        if dry_run:
            return "nobody"
        raise


def parse_break_glass(text: str) -> tuple[str, str]:
    """Name and reason.

    Raises:
        UserError: one of them is missing.
    """
    name, colon, reason = one_line(text, "--break-glass").partition(":")
    if not colon or not name.strip() or not reason.strip():
        raise UserError(f"--break-glass '{text}'", hint="say who and why: 'NAME: reason'")
    return name.strip(), reason.strip()


def _refuse_overtaken(plan: Plan, context: Context, race: _Race) -> None:
    """Refuse to replace a release that landed while this run was under way: whoever asked did not know of it.

    Raises:
        Blocked: names what came, and who brought it.
    """
    for move in plan.moves:
        before = race.first.setdefault(move.app, move.current)
        if not move.changes or _content(before) == _content(move.current):
            continue
        running = context.record.running(plan.target.name, move.app)
        who = f" by {running.author}, commit {running.commit[:7]}" if running else ""
        raise Blocked(
            f"{plan.target.name} got {', '.join(move.current.tags)} of {move.app} meanwhile{who}: "
            f"{', '.join(move.release.tags)} was not promoted over it; run it again if it should be"
        )


def _content(release: Release) -> frozenset[tuple[str, str | None, str | None]]:
    if release.tree is not None:
        return frozenset({("", None, release.tree.id)})
    return frozenset((pin.image, pin.tag, pin.digest) for pin in release.pins)


def _message(plan: Plan, verdicts: Sequence[Verdict], permission: Permission) -> Message:
    gates: dict[str, str] = {}
    for verdict in verdicts:
        # Of several apps the gate says the worst; that it was asked of one is more than that it was not of another.
        said = gates.get(verdict.gate, NOT_ASKED)
        if said == NOT_ASKED or (said == PASSED and not verdict.passed):
            gates[verdict.gate] = verdict.code
    passed_over = any(verdict.gate == "hold" and not verdict.passed for verdict in verdicts)
    return replace(
        plan.message(),
        gates=gates,
        approved_by=tuple(dict.fromkeys(who for verdict in verdicts for who in verdict.approved_by)),
        break_glass=permission.break_glass,
        override_hold=permission.override_hold if passed_over else None,
    )


def _prove_own_approval(root: Path, commit: str, plan: Plan, context: Context, verdicts: Sequence[Verdict]) -> None:
    """Where signatures are asked for, an approval by committing counts only if the commit is signed by the approver.

    Raises:
        Blocked: it is not. The commit's objects exist then, and nothing refers to them.
    """
    by = address_of(context.by)
    own = any(by == address_of(who) for verdict in verdicts for who in verdict.approved_by)
    keys = signer_keys(in_force(plan, context).target, context.snapshot.tree) if own and context.approved_by else None
    if keys is not None and signer(root, commit, keys=keys) != by:
        raise Blocked(
            f"{plan.target.name} asks for signed approvals, and the commit is not signed with a key of {by}: "
            "set commit.gpgSign and user.signingKey"
        )
