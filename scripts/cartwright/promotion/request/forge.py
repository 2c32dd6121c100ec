"""Pull requests and merge requests: opened for a promotion's branch, kept current, and older ones of ours closed.

What differs between GitHub and GitLab is in the modules ``github`` and ``gitlab``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cartwright.kernel.errors import CartwrightError
from cartwright.promotion.request.body import Mark, read_mark
from cartwright.promotion.request.branch import PREFIX
from cartwright.promotion.request.method import Rules, pick_method
from cartwright.promotion.request.project import Project
from cartwright.promotion.reviews import Reviews

__all__ = ["Forge", "Landing", "Merging", "Opened", "Proposed", "Request", "connect", "own_request", "propose"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is wanted."""

    title: str
    body: str
    mark: Mark
    branch: str
    """Short name of the branch that holds the commit."""
    commit: str
    base: str
    """Short name of the branch that it shall come to."""
    message: str
    """The whole message for a method that writes one: a squash, or the merge of a reviewed request."""
    draft: bool
    """Whether it must not be merged yet: a gate blocks."""
    waits_for_reviews: bool = False
    """Whether nothing but the forge's reviews is missing: people are asked to review, and it is not merged yet."""
    reviewed: bool = False
    """Whether the forge's reviews count as approvals."""
    keep_commit: bool = False
    """Whether the commit is somebody's approval, and must land as it is."""
    auto_merge: bool
    """Whether the forge shall merge it as soon as its own conditions are met."""

    @property
    def may_merge(self) -> bool:
        """Whether nothing of ours keeps it from being merged."""
        return not self.draft and not self.waits_for_reviews

    @property
    def labels(self) -> tuple[str, ...]:
        """What the forge's lists are filtered by."""
        return ("promotion", f"environment/{self.mark.environment}")


@dataclass(frozen=True)
class Opened:
    """A request as the forge has it."""

    number: int
    url: str
    branch: str
    title: str
    body: str
    draft: bool
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Landing:
    """How a request shall be merged."""

    commit: str
    """Newest commit of the request's branch; another one is not merged."""
    method: str
    """See :mod:`cartwright.promotion.request.method`."""
    message: str | None
    """The message that the method writes; None for the forge's own."""

    @property
    def headline(self) -> str | None:
        """The message's first line."""
        return None if self.message is None else self.message.partition("\n")[0]

    @property
    def text(self) -> str | None:
        """The message without its first line."""
        return None if self.message is None else self.message.partition("\n")[2].strip("\n")


@dataclass(frozen=True)
class Merging:
    """Who merges a request, and when."""

    how: str
    """``auto`` (the forge, when it may), ``queued``, ``merged``, or ``by-hand``."""
    remark: str | None = None
    """Why the forge does not, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """What came of it."""

    number: int
    url: str
    status: str
    """``opened``, ``updated`` or ``unchanged``."""
    superseded: tuple[str, ...] = ()
    """Addresses of older requests that were closed."""
    merge: str
    """As :attr:`Merging.how`; or ``draft`` (a gate blocks), or ``review`` (only reviews are missing)."""
    remark: str | None = None
    """What to know of it."""
    failure: CartwrightError | None = None
    """The step after which the rest was left to the next run."""

    @property
    def is_blocked(self) -> bool:
        """Whether a gate keeps it from being merged."""
        return self.merge in {"draft", "review"}


class Forge(Protocol):
    """What is asked of a forge. Everything may raise ForgeError."""

    def open_requests(self, base: str) -> Sequence[Opened]:
        """The open requests for a branch, from branches of the same repository."""

    def rules(self, base: str) -> Rules:
        """What the repository says about merging to a branch."""

    def create(self, request: Request) -> Opened:
        """Open a request."""

    def update(self, opened: Opened, request: Request) -> Opened:
        """Give it title, text and state of the request; what may not be merged yet is not merged later on either."""

    def label(self, opened: Opened, labels: Sequence[str]) -> None:
        """Add labels; those that people added stay."""

    def close(self, opened: Opened, comment: str) -> None:
        """Say why, close it, and remove its branch."""

    def merge_when_ready(self, opened: Opened, landing: Landing, rules: Rules) -> Merging:
        """Have it merged as soon as the forge's own conditions are met, by the queue where there is one."""

    def reviews(self, opened: Opened) -> Reviews:
        """The reviews of an open request."""

    def merged_reviews(self, commit: str, base: str, /) -> Reviews | None:
        """The reviews of the merged request that brought a commit to a branch; None where none did."""


def own_request(before: Sequence[Opened], branch: str) -> Opened | None:
    """The open request of a branch of ours, if there is one."""
    return next((one for one in before if one.branch == branch), None)


def propose(forge: Forge, request: Request, *, before: Sequence[Opened] | None = None) -> Proposed:
    """Open the request, or bring the open one of the same branch up to date; then close the older ones it replaces.

    Safe to repeat: what a killed or failed run left undone, the next one does. Once the request is there, a step that
    fails ends the run in :attr:`Proposed.failure`, so that the caller knows the request in any case.

    Args:
        before: what :meth:`Forge.open_requests` said, where the caller has asked already.

    Raises:
        ForgeError: the forge refuses, or can't be reached, and there is no request.
    """
    if before is None:
        before = forge.open_requests(request.base)
    mine = own_request(before, request.branch)
    status = "unchanged"
    if mine is None:
        mine, status = forge.create(request), "opened"
    superseded: list[str] = []
    merging = Merging(_unmerged(request))
    failure = None
    try:
        current = (mine.title, mine.body.strip(), mine.draft)
        if status != "opened" and current != (request.title, request.body.strip(), request.draft):
            mine, status = forge.update(mine, request), "updated"
        missing = [label for label in request.labels if label not in mine.labels]
        if missing:
            forge.label(mine, missing)
        for old in before:
            mark = read_mark(old.body)
            ours = old.branch != request.branch and old.branch.startswith(PREFIX) and mark is not None
            if ours and mark is not None and request.mark.replaces(mark):
                forge.close(old, f"Superseded by {mine.url}: {request.title}.")
                superseded.append(old.url)
        if request.auto_merge and request.may_merge:
            merging = _merge(forge, mine, request)
    except CartwrightError as error:
        failure = error
    return Proposed(
        number=mine.number,
        url=mine.url,
        status=status,
        superseded=tuple(superseded),
        merge=merging.how,
        remark=merging.remark,
        failure=failure,
    )


def _unmerged(request: Request) -> str:
    if request.draft:
        return "draft"
    return "review" if request.waits_for_reviews else "by-hand"


def _merge(forge: Forge, opened: Opened, request: Request) -> Merging:
    rules = forge.rules(request.base)
    method = pick_method(rules, keep_commit=request.keep_commit, reviewed=request.reviewed)
    takes = method == "squash" or (method == "merge" and request.reviewed)
    landing = Landing(commit=request.commit, method=method, message=request.message if takes else None)
    return forge.merge_when_ready(opened, landing, rules)


def connect(project: Project) -> Forge:
    """The forge of a project; its library is loaded now."""
    if project.kind == "github":
        from cartwright.promotion.request.github import GitHub

        return GitHub(project)
    from cartwright.promotion.request.gitlab import GitLab

    return GitLab(project)
