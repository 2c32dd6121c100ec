"""Approvals: enough people who may have said yes to this release for this environment.

Anyone can write a trailer, so one counts only in a commit that is by the approver: a commit of
`cartwright promote approve` (which changes no file), or the promotion itself where its committer names themself with
``--approved-by``. Where environment.yaml names ``signers``, that commit's signature says who it is by. Where it does
not, the committer's address does, and that is only as good as the rules about who may push. An approval ends with its
time, with a commit of `cartwright promote withdraw`, and with a rollback of the release.

With ``from: forge`` the reviews of the promotion's pull or merge request count in place of commits. They are looked up
when the request is there, so the gate itself only says that (:func:`judge_reviews` says the rest).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.promotion.approvers import Roster, address_of, parse_roster
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import (
    FORGE_REVIEWS,
    Approval,
    approvals_asked,
    approvers,
    approves_itself,
    approving,
    asks_forge,
    reviewers,
    rolled_back,
)
from cartwright.promotion.reviews import Review, Reviews
from cartwright.promotion.signers import signer
from cartwright.promotion.verdict import Verdict
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree

__all__ = ["judge", "judge_reviews", "signer_keys"]

GATE = "approvals"


def judge(case: Case) -> Verdict:
    """Codes: ``approvals-missing``, ``forge-reviews``."""
    count, settings = approvals_asked(case.gates)
    if case.is_rollback:
        return case.not_asked(GATE, f"{case.release} was approved when it came to {case.target.name} the first time")
    if not count:
        return case.not_asked(GATE, f"{case.target.name} asks for no approval")
    if asks_forge(settings):
        asked = _reviews_asked(case.target)
        return case.blocked(GATE, FORGE_REVIEWS, f"{asked}: open it with --pr")
    roster = _roster(case, settings)
    keys = signer_keys(case.target, case.context.snapshot.tree)
    found = approvers(
        _said(case, keys),
        case.app,
        roster=roster,
        settings=settings,
        moment=case.now,
        promoters={address_of(case.context.by)},
    )
    people = tuple(found.values())
    named = f" ({', '.join(people)})" if people else ""
    if len(found) >= count:
        verdict = case.passed(GATE, f"{len(found)} of {count} approvals{named}")
        return Verdict(**{**verdict.__dict__, "approved_by": people})
    return case.blocked(
        GATE, "approvals-missing", f"{len(found)} of {count} approvals{named}: {_how(case, roster, settings)}"
    )


def judge_reviews(target: Environment, app: str, reviews: Reviews | None) -> Verdict:
    """What the reviews of the request come to. Code: ``reviews-missing``.

    Args:
        reviews: None where the request is not there yet.
    """
    count, settings = approvals_asked(target.content["gates"])
    found = reviewers(reviews, settings) if reviews else {}
    named = f" ({', '.join(found)})" if found else ""
    if len(found) >= count:
        return Verdict(
            gate=GATE,
            code="passed",
            passed=True,
            sentence=f"{len(found)} of {count} reviews{named}",
            app=app,
            approved_by=tuple(found.values()),
        )
    left_out = (
        [f"; {one.login} {_why_not(one, reviews)}" for one in reviews.approving if one.login not in found]
        if (reviews)
        else []
    )
    sentence = f"{len(found)} of {count} reviews{named}{''.join(left_out)}: {_reviews_asked(target)}"
    return Verdict(gate=GATE, code="reviews-missing", passed=False, sentence=sentence, app=app)


def _reviews_asked(target: Environment) -> str:
    return f"{target.name} asks for reviews of the pull or merge request"


def _why_not(review: Review, reviews: Reviews) -> str:
    if review.commit != reviews.head:
        return "approved an older commit"
    return "may not write to the repository" if not review.entitled else "is its author"


def signer_keys(target: Environment, tree: Tree) -> bytes | None:
    """The keys that approvers of an environment sign with; None where signatures are not asked for.

    Raises:
        UserError: the file is not in the repository.
    """
    file = approvals_asked(target.content["gates"])[1].get("signers")
    if file is None:
        return None
    if not tree.is_file(file):
        raise UserError(f"the keys of its approvers, '{file}', are not in the repository", file=target.file)
    return tree.read(file)


def _roster(case: Case, settings: Mapping[str, Any]) -> Roster | None:
    file = settings.get("from")
    if file is None:
        return None
    tree = case.context.snapshot.tree
    if not tree.is_file(file):
        raise case.error(f"'{file}' is not in the repository", "approvals", "from")
    return parse_roster(tree.text(file), file)


def _said(case: Case, keys: bytes | None) -> Iterator[Approval]:
    """What approvers have said of the release, in the order of the history."""
    context = case.context
    record, root = context.record, context.snapshot.root
    release = case.move.release
    tree = release.tree.id if release.tree else None
    after = rolled_back(record.events(environment=case.target.name, app=case.app), release.pins, release.config)
    notes = record.approvals(case.target.name, case.app)
    for note in approving(notes, case.app, release.digests, tree=tree, after=after):
        address = address_of(note.committer) if keys is None else signer(root, note.commit, keys=keys)
        at = record.landed(note.landed, as_of=case.now)
        yield Approval.of(note, address, signed=keys is not None, at=at)
    # The promotion's own commit is not made yet: deliver.py proves its signature before anyone gets to see it.
    by = context.by
    if approves_itself(by, context.approved_by):
        who = f"{by} (not signed)" if keys is None else f"{address_of(by)} (signed)"
        yield Approval(who=who, address=address_of(by), at=case.now)


def _how(case: Case, roster: Roster | None, settings: Mapping[str, Any]) -> str:
    who = "somebody else"
    if roster is not None:
        may = roster.approvers(case.app, group=settings.get("group"))
        if settings.get("distinct"):
            may -= {address_of(case.context.by)}
        who = ", ".join(sorted(may)) or f"nobody (no line of {roster.file} fits {case.app})"
    source = case.plan.source or next(iter(case.target.upstreams), None)
    if source is None:
        return f"{who} may do it, with --approved-by"
    return f"{who} may run `cartwright promote approve {case.app} --from {source} --to {case.target.name}`"
