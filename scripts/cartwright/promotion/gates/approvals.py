"""Approvals: enough people who may have said yes to this release for this environment.

Anyone can write a trailer, so one counts only in a commit that is by the approver: a commit of
`cartwright promote approve` (which changes no file), or the promotion itself where its committer names themself with
``--approved-by``. Where environment.yaml names ``signers``, that commit's signature says who it is by. Where it does
not, the committer's address does, and that is only as good as the rules about who may push.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cartwright.history.record import Note
from cartwright.kernel.errors import UserError
from cartwright.promotion.approvers import Roster, address_of, parse_roster
from cartwright.promotion.gates.case import Case
from cartwright.promotion.signers import signer
from cartwright.promotion.verdict import Verdict
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree

__all__ = ["judge", "signer_keys"]

GATE = "approvals"


def judge(case: Case) -> Verdict:
    """Code: ``approvals-missing``."""
    count, settings = _settings(case.target)
    if case.is_rollback:
        return case.passed(GATE, f"{case.release} was approved when it came to {case.target.name} the first time")
    if not count:
        return case.passed(GATE, f"{case.target.name} asks for no approval")
    roster = _roster(case, settings)
    keys = signer_keys(case.target, case.context.snapshot.tree)
    found: dict[str, str] = {}
    for who, address in _approvals(case, keys):
        if roster is None or address in roster.approvers(case.app, group=settings.get("group")):
            found.setdefault(address, who)
    people = tuple(found.values())
    named = f" ({', '.join(people)})" if people else ""
    if len(found) >= count:
        verdict = case.passed(GATE, f"{len(found)} of {count} approvals{named}")
        return Verdict(**{**verdict.__dict__, "approved_by": people})
    return case.blocked(
        GATE, "approvals-missing", f"{len(found)} of {count} approvals{named}: {_how(case, roster, settings)}"
    )


def signer_keys(target: Environment, tree: Tree) -> bytes | None:
    """The keys that approvers of an environment sign with; None where signatures are not asked for.

    Raises:
        UserError: the file is not in the repository.
    """
    file = _settings(target)[1].get("signers")
    if file is None:
        return None
    if not tree.is_file(file):
        raise UserError(f"the keys of its approvers, '{file}', are not in the repository", file=target.file)
    return tree.read(file)


def _settings(target: Environment) -> tuple[int, dict[str, Any]]:
    approvals = target.content["gates"]["approvals"]
    return (approvals, {}) if isinstance(approvals, int) else (approvals["count"], approvals)


def _roster(case: Case, settings: dict[str, Any]) -> Roster | None:
    file = settings.get("from")
    if file is None:
        return None
    tree = case.context.snapshot.tree
    if not tree.is_file(file):
        raise case.error(f"'{file}' is not in the repository", "approvals", "from")
    return parse_roster(tree.text(file), file)


def _approvals(case: Case, keys: bytes | None) -> Iterator[tuple[str, str]]:
    """``Name <address>`` and proved address of each person who approved."""
    for note in case.context.record.notes():
        if _approves(case, note):
            root = case.context.snapshot.root
            address = address_of(note.committer) if keys is None else signer(root, note.commit, keys=keys)
            if address:
                yield note.committer, address
    # The promotion's own commit is not made yet: deliver.py proves its signature before anyone gets to see it.
    by = address_of(case.context.by)
    if by in {address_of(one) for one in case.context.approved_by}:
        yield case.context.by, by


def _approves(case: Case, note: Note) -> bool:
    message = note.message
    if message is None or message.operation != "approve" or message.target != case.target.name:
        return False
    return any(
        moved.app == case.app and set(moved.digests) == set(case.move.release.digests) for moved in message.moved
    )


def _how(case: Case, roster: Roster | None, settings: dict[str, Any]) -> str:
    who = "somebody else"
    if roster is not None:
        may = roster.approvers(case.app, group=settings.get("group"))
        who = ", ".join(sorted(may)) or f"nobody (no line of {roster.file} fits {case.app})"
    source = case.plan.source or next(iter(case.target.upstreams), None)
    if source is None:
        return f"{who} may do it, with --approved-by"
    return f"{who} may run `cartwright promote approve {case.app} --from {source} --to {case.target.name}`"
