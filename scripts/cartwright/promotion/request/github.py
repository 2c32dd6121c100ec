"""Pull requests on GitHub, through PyGithub."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import github
import requests

from cartwright.promotion.request.forge import ForgeError, Opened, Project, Request
from cartwright.registry.credentials import ca_bundle

if TYPE_CHECKING:
    from github.PullRequest import PullRequest

__all__ = ["GitHub"]

_TIMEOUT = 20
_PATIENCE = 20.0
"""Seconds that a rate limit is waited for; a longer one is said."""
_METHOD = "REBASE"
"""The commit lands with its message, whose trailers are history, and with the time of the merge: soaking starts"""


class GitHub:
    """The forge of a project on GitHub, or on GitHub Enterprise Server."""

    def __init__(self, project: Project, *, seconds_between_writes: float = 0.2) -> None:
        self._project = project
        self._github = github.Github(
            auth=github.Auth.Token(project.token),
            base_url=project.api.rstrip("/"),
            timeout=_TIMEOUT,
            verify=ca_bundle() or True,
            retry=github.GithubRetry(
                total=3,
                backoff_factor=0.5,
                respect_retry_after_header=False,  # it would be slept through, an hour if the forge says so
                secondary_rate_wait=_PATIENCE,
                max_rate_limit_wait=_PATIENCE,
            ),
            seconds_between_requests=None,
            seconds_between_writes=seconds_between_writes,
            lazy=True,
        )
        self._repository = self._github.get_repo(project.path)

    def open_requests(self, base: str) -> Sequence[Opened]:
        """The open pull requests for a branch, without those from forks."""
        with self._explained():
            found = self._repository.get_pulls(state="open", base=base)
            mine = self._project.path.lower()
            return [
                _opened(one) for one in found if one.head.repo is not None and one.head.repo.full_name.lower() == mine
            ]

    def create(self, request: Request) -> Opened:
        """Open a pull request; one that another run has opened meanwhile is brought up to date instead."""
        with self._explained():
            try:
                pull = self._repository.create_pull(
                    request.base, request.branch, title=request.title, body=request.body, draft=request.draft
                )
            except github.GithubException as error:
                if error.status != 422 or "already exists" not in str(error.data):
                    raise
                owner = self._project.path.partition("/")[0]
                there = list(
                    self._repository.get_pulls(state="open", base=request.base, head=f"{owner}:{request.branch}")
                )
                if not there:
                    raise
                return self.update(_opened(there[0]), request)
            return _opened(pull)

    def update(self, opened: Opened, request: Request) -> Opened:
        """Give a pull request title, text and draft state; a draft is not merged later on either."""
        with self._explained():
            pull = self._repository.get_pull(opened.number)
            pull.edit(title=request.title, body=request.body)
            if request.draft and pull.auto_merge:
                pull.disable_automerge()
            if request.draft and not pull.draft:
                pull.convert_to_draft()
            elif pull.draft and not request.draft:
                pull.mark_ready_for_review()
            return _opened(pull)

    def label(self, opened: Opened, labels: Sequence[str]) -> None:
        """Add labels; GitHub makes those that are new."""
        with self._explained():
            self._repository.get_issue(opened.number).add_to_labels(*labels)

    def close(self, opened: Opened, comment: str) -> None:
        """Say why, close it, and remove its branch."""
        with self._explained():
            pull = self._repository.get_pull(opened.number)
            pull.create_issue_comment(comment)
            pull.edit(state="closed")
            # Looked up, as the library's own reference to a branch by name leads to an address that can't be deleted.
            for ref in self._repository.get_git_matching_refs(f"heads/{opened.branch}"):
                if ref.ref == f"refs/heads/{opened.branch}":
                    ref.delete()

    def merge_when_ready(self, opened: Opened, commit: str) -> bool:
        """Turn auto-merge on; where nothing is left to wait for, GitHub refuses that, and it is merged now."""
        with self._explained():
            pull = self._repository.get_pull(opened.number)
            if pull.auto_merge:
                return False
            try:
                pull.enable_automerge(merge_method=_METHOD, expected_head_oid=commit)
            except github.GithubException as error:
                if "clean status" not in str(error.data):
                    raise
                pull.merge(merge_method=_METHOD.lower(), sha=commit)
                return True
            return False

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Every failure of the library as one sentence."""
        try:
            yield
        except github.RateLimitExceededException as error:
            raise self._refusal(error, 429) from error
        except github.GithubException as error:
            raise self._refusal(error, error.status) from error
        except requests.RequestException as error:
            raise self._project.unreachable(error) from error

    def _refusal(self, error: github.GithubException, status: int) -> ForgeError:
        needs = "pull requests and contents: write"
        return self._project.refusal(status, _message(error.data) or error, needs=needs, again=_reset(error))


def _opened(pull: PullRequest) -> Opened:
    return Opened(
        number=pull.number,
        url=pull.html_url,
        branch=pull.head.ref,
        title=pull.title,
        body=pull.body or "",
        draft=bool(pull.draft),
    )


def _message(data: Any) -> str:
    """GitHub's sentence and its details."""
    if not isinstance(data, dict):
        return ""
    details = [one.get("message") or one.get("code") for one in data.get("errors") or () if isinstance(one, dict)]
    return "; ".join(str(part) for part in (data.get("message"), *details) if part)


def _reset(error: github.GithubException) -> str:
    value = (error.headers or {}).get("x-ratelimit-reset", "")
    if not value.isdigit():
        return ""
    moment = datetime.datetime.fromtimestamp(int(value), datetime.UTC)
    return f"; again at {moment:%Y-%m-%dT%H:%M:%SZ}"
