"""Delivering an intent as a pull or merge request in place of a push.

The request is opened whatever the gates say, since it is where people look. While a gate blocks it is a draft, which
no forge merges; the next run, when the gates let it pass, makes it ready and lets the forge merge it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import Intent, Promote
from cartwright.promotion.land.deliver import Permission, Result, deliver
from cartwright.promotion.land.remote import Remote
from cartwright.promotion.report.preview import preview
from cartwright.promotion.request.body import Mark, render_body
from cartwright.promotion.request.branch import RequestBranch
from cartwright.promotion.request.forge import Forge, Proposed, Request, propose
from cartwright.promotion.verdict import Verdict

__all__ = ["deliver_request"]


@dataclass(frozen=True, kw_only=True)
class _OnTrial(Permission):
    """Lets every commit be made: it lands on a branch of its own, and the request says what blocks."""

    def passes(self, verdict: Verdict) -> bool:  # noqa: ARG002
        return True


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
        UserError, Blocked: as :func:`cartwright.promotion.land.deliver.deliver`.
        ForgeError: the forge refuses; the branch is there then, and the next run goes on from it.
    """
    destination = RequestBranch(base=base)
    # With --all the apps that a gate stops are left out, as in a push: the others would wait for them.
    selects = isinstance(intent, Promote) and intent.everything
    trial = (
        permission
        if selects
        else _OnTrial(
            override_hold=permission.override_hold,
            break_glass=permission.break_glass,
            approved_by=permission.approved_by,
        )
    )
    result = deliver(root, intent, destination=destination, sources=sources, permission=trial)
    if result.status != "promoted" or result.message is None:
        return result, None
    blocked = not all(map(permission.passes, result.verdicts))
    apps = tuple(sorted(move.app for move in result.plan.changed)) or result.plan.apps
    proposed = propose(
        forge,
        Request(
            title=result.message.subject,
            body=render_body(result, preview(result.plan)),
            mark=Mark(environment=result.plan.target.name, apps=apps),
            branch=destination.branch,
            commit=destination.commit,
            base=base.branch.removeprefix("refs/heads/"),
            draft=blocked,
            auto_merge=auto_merge,
        ),
    )
    return replace(result, status="requested", commit=destination.commit, destination=destination.branch), proposed
