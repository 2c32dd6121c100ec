"""Delivering an intent as a pull or merge request in place of a push.

The request is opened whatever the gates say, since it is where people look. While a gate blocks it is a draft, which
no forge merges; the next run, when the gates let it pass, makes it ready and lets the forge merge it. Where nothing but
the forge's own reviews is missing it is no draft, since people are asked to review then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cartwright.history.trailers import PASSED, Message
from cartwright.promotion.evidence import Sources
from cartwright.promotion.gates import approvals
from cartwright.promotion.gates.approvals import judge_reviews
from cartwright.promotion.gates.conditions import FORGE_REVIEWS
from cartwright.promotion.intents import Approve, Intent, Promote
from cartwright.promotion.land.deliver import Permission, Result, deliver
from cartwright.promotion.land.remote import Remote
from cartwright.promotion.report.preview import preview
from cartwright.promotion.request.body import Mark, render_body
from cartwright.promotion.request.branch import RequestBranch
from cartwright.promotion.request.forge import Forge, Opened, Proposed, Request, own_request, propose
from cartwright.promotion.request.method import pick_method
from cartwright.promotion.verdict import Verdict

__all__ = ["deliver_request"]


@dataclass(frozen=True, kw_only=True)
class _OnTrial(Permission):
    """Lets a commit be made that lands on a branch of its own: the request says what blocks."""

    selects: bool
    """With ``--all`` the apps that a gate stops are left out, as in a push: the others would wait for them."""

    def passes(self, verdict: Verdict) -> bool:
        return not self.selects or verdict.code == FORGE_REVIEWS or super().passes(verdict)


def deliver_request(
    root: Path,
    intent: Intent,
    *,
    base: Remote,
    forge: Forge,
    sources: Sources,
    permission: Permission,
    auto_merge: bool,
) -> tuple[Result, Proposed | None]:
    """Commit an intent on a branch of the remote, and open a request for it or bring the open one up to date.

    Args:
        base: the branch that the request is for.
        auto_merge: have the forge merge it once the gates let it pass and the forge's own conditions are met.

    Returns:
        The result, whose status is ``requested``, and the request; None where there is nothing to do.

    Raises:
        UserError, Blocked, ToolError: as :func:`cartwright.promotion.land.deliver.deliver`; or the commit is an
            approval, and the repository merges with another one.
        ForgeError: the forge refuses, and there is no request; the branch is there, and the next run goes on from it.
    """
    short = base.branch.removeprefix("refs/heads/")
    keep_commit = isinstance(intent, Approve) or bool(permission.approved_by)
    if keep_commit:
        pick_method(forge.rules(short), keep_commit=True, reviewed=False)  # before anything is pushed
    destination = RequestBranch(base=base)
    everything = isinstance(intent, Promote) and intent.everything
    trial = _OnTrial(
        override_hold=permission.override_hold,
        break_glass=permission.break_glass,
        approved_by=permission.approved_by,
        selects=everything,
    )
    result = deliver(root, intent, destination=destination, sources=sources, permission=trial)
    message = result.message
    if result.status != "promoted" or message is None:
        return result, None
    before = forge.open_requests(short)
    result = _with_reviews(result, forge, own_request(before, destination.branch))
    blocking = [one for one in result.verdicts if not permission.passes(one)]
    landing = _landing(message, result.verdicts)
    apps = tuple(sorted(move.app for move in result.plan.changed)) or result.plan.apps
    mark = Mark(result.plan.target.name, apps, operation=result.plan.operation, everything=everything)
    proposed = propose(
        forge,
        Request(
            title=message.subject,
            body=render_body(result, preview(result.plan), mark, trailers=None if keep_commit else landing),
            mark=mark,
            branch=destination.branch,
            commit=destination.commit,
            base=short,
            message=landing.render(),
            draft=any(one.code != "reviews-missing" for one in blocking),
            waits_for_reviews=bool(blocking),
            reviewed=landing != message,
            keep_commit=keep_commit,
            auto_merge=auto_merge,
        ),
        before=before,
    )
    return replace(result, status="requested", commit=destination.commit, destination=destination.branch), proposed


def _with_reviews(result: Result, forge: Forge, opened: Opened | None) -> Result:
    """The result with the verdict that the request's reviews come to, where they count as approvals."""
    if not any(one.code == FORGE_REVIEWS for one in result.verdicts):
        return result
    reviews = forge.reviews(opened) if opened else None
    return replace(
        result,
        verdicts=tuple(
            judge_reviews(result.plan.target, one.app, reviews) if one.code == FORGE_REVIEWS and one.app else one
            for one in result.verdicts
        ),
    )


def _landing(message: Message, verdicts: tuple[Verdict, ...]) -> Message:
    """The message with who approved by a review: it can't stand in the commit, which would be another one by that."""
    if message.gates.get(approvals.GATE) != FORGE_REVIEWS:
        return message
    mine = [one for one in verdicts if one.gate == approvals.GATE]
    code = next((one.code for one in mine if not one.passed), PASSED)
    people = tuple(dict.fromkeys((*message.approved_by, *(who for one in mine for who in one.approved_by))))
    return replace(message, gates={**message.gates, approvals.GATE: code}, approved_by=people)
