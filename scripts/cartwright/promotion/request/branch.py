"""The branch that a pull or merge request asks to merge: one commit on top of the branch that it is for.

A branch belongs to one release of its apps. Another release gets another branch and another request, so that no review
of the first is ever taken for one of the second.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cartwright.history.git import Head, git
from cartwright.history.trailers import Message, parse
from cartwright.kernel.errors import ToolError
from cartwright.promotion.land.remote import Remote
from cartwright.promotion.moves import FileEdit

__all__ = ["PREFIX", "RequestBranch", "branch_name"]

PREFIX = "promote/"
"""Every branch of ours begins so."""
_ODD = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass
class RequestBranch:
    """A destination that leaves the branch alone which the request is for."""

    base: Remote
    """The branch that the request is for."""
    branch: str = ""
    """Short name of the request's branch, once the commit landed."""
    commit: str = ""
    """What the request's branch has then: the new commit, or the older one that says the same."""

    def name(self, _head: Head, /) -> str:
        """``promote/prod/… of origin``."""
        return f"{self.branch} of {self.base.remote}"

    @contextmanager
    def prepared(self) -> Iterator[Path]:
        """As a push to the remote."""
        with self.base.prepared() as folder:
            yield folder

    def head(self) -> Head:
        """The newest commit of the branch that the request is for."""
        return self.base.head()

    def require(self, head: Head, paths: list[str]) -> None:
        """Nothing stands in the way of a branch."""

    def contains(self, _head: Head, _commit: str, /) -> bool:
        """A request's commit is on no branch that plans are made from."""
        return False

    def land(
        self,
        _folder: Path,
        /,
        *,
        head: Head,
        commit: str,
        edits: Sequence[FileEdit],
        contents: Mapping[str, str | None],
        **_: object,
    ) -> None:
        """Put the commit on the request's branch; one that says the same is left as it is, with its reviews and checks.

        Raises:
            BranchMovedError: somebody else moved the request's branch meanwhile.
            ToolError: the remote refuses, or can't be reached.
        """
        root = self.base.root
        by, text = git(root, "show", "--no-patch", "--format=%ce%n%B", commit).stdout.split("\n", 1)
        message = parse(text)
        if message is None:
            raise ToolError(f"git did not keep the message of {commit}, so no request can be opened for it")
        self.branch = branch_name(message, by=by)
        full = f"refs/heads/{self.branch}"
        there = Remote(root=root, remote=self.base.remote, branch=full)
        old = there.newest_or_none()
        if old is not None and self._says_the_same(there, old, commit, edits, contents, head=head):
            self.commit = old
            return
        there.replace(commit, expected=old)
        self.commit = commit

    def _says_the_same(
        self,
        there: Remote,
        old: str,
        commit: str,
        edits: Sequence[FileEdit],
        contents: Mapping[str, str | None],
        *,
        head: Head,
    ) -> bool:
        """Whether the branch has the same change with the same message, and still applies to what is there now."""
        root = self.base.root
        there.fetch(old)
        if self.base.contains(head, old):
            return False  # merged already: an older request, whose branch stayed

        def show(*words: str) -> str:
            return git(root, *words, accept=(0, 128)).stdout.strip()

        if show("show", "--no-patch", "--format=%B", old) != show("show", "--no-patch", "--format=%B", commit):
            return False
        if _is_signed(show("cat-file", "commit", commit)) and not _is_signed(show("cat-file", "commit", old)):
            return False
        for one in edits:
            before = one.before[1] if one.before else ""
            if show("rev-parse", "--verify", "--quiet", f"{old}:{one.path}") != (contents[one.path] or ""):
                return False
            if show("rev-parse", "--verify", "--quiet", f"{old}^:{one.path}") != before:
                return False
        return True


def _is_signed(content: str) -> bool:
    return "\ngpgsig" in content.partition("\n\n")[0]


def branch_name(message: Message, *, by: str = "") -> str:
    """``promote/<environment>/<what>-<hash>``: the same for the same releases of the same apps, else another.

    A decision has a branch by its reason, so that a later end or beginning brings its request up to date. An approval
    has one by its approver.

    Args:
        by: the committer's address.
    """
    content: object = sorted((one.app, one.tags, one.digests, one.tree or "") for one in message.moved)
    parts = [message.operation, message.target, content]
    if message.decision:
        parts.append(message.reason)
    elif message.approves:
        parts.append(by.lower())
    if message.set_name is not None:
        what = f"set-{message.set_name}"
    elif len(message.moved) == 1:
        what = "-".join((message.moved[0].app, *message.moved[0].tags))
    else:
        what = f"{len(message.moved)}-apps" if message.moved else ""
    if message.decision or message.approves:
        what = f"{message.operation}-{what}"
    mark = hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()[:8]
    return f"{PREFIX}{message.target}/{_ODD.sub('-', what)[:80].strip('-')}-{mark}"
