"""Pull requests on GitHub, through PyGithub."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import github
import requests

from cartwright.promotion.request.forge import Landing, Merging, Opened, Request
from cartwright.promotion.request.githubreviews import ask_merged_reviews, ask_reviews
from cartwright.promotion.request.method import Rules
from cartwright.promotion.request.project import ForgeError, Project
from cartwright.promotion.reviews import Reviews
from cartwright.registry.credentials import ca_bundle

if TYPE_CHECKING:
    from github.PullRequest import PullRequest

__all__ = ["GitHub"]

_TIMEOUT = 20
_PATIENCE = 20.0
"""Seconds that a rate limit is waited for; a longer one is said."""
_ASK_RULES = """
query($owner: String!, $name: String!, $branch: String!) {
  repository(owner: $owner, name: $name) {
    mergeCommitAllowed rebaseMergeAllowed squashMergeAllowed autoMergeAllowed
    mergeQueue(branch: $branch) { configuration { mergeMethod } }
  }
}"""
_METHODS = {"mergeCommitAllowed": "merge", "rebaseMergeAllowed": "rebase", "squashMergeAllowed": "squash"}


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
            if not request.may_merge and pull.auto_merge:
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

    def rules(self, base: str) -> Rules:
        """What the repository's settings, its rulesets and the branch's merge queue say."""
        owner, _, name = self._project.path.partition("/")
        with self._explained():
            variables = {"owner": owner, "name": name, "branch": base}
            said = self._github.requester.graphql_query(_ASK_RULES, variables)[1]["data"]["repository"]
            methods = {method for setting, method in _METHODS.items() if said[setting]}
            for rule in self._rulesets(base):
                if rule["type"] == "required_linear_history":
                    methods.discard("merge")
                elif rule["type"] == "pull_request":
                    methods &= set(rule["parameters"].get("allowed_merge_methods") or methods)
            queue = said["mergeQueue"]
            if queue is not None:
                methods = {queue["configuration"]["mergeMethod"].lower()}
            return Rules(methods=methods, auto_merge=said["autoMergeAllowed"], queue=queue is not None)

    def _rulesets(self, base: str) -> list[dict[str, Any]]:
        """The active rules of a branch; none where the server or the plan has no rulesets."""
        place = f"/repos/{self._project.path}/rules/branches/{quote(base, safe='')}?per_page=100"
        try:
            found: list[dict[str, Any]] = self._github.requester.requestJsonAndCheck("GET", place)[1]
        except github.GithubException as error:
            if error.status not in {403, 404}:
                raise
            return []
        return found

    def merge_when_ready(self, opened: Opened, landing: Landing, rules: Rules) -> Merging:
        """Turn auto-merge on, or join the queue; where nothing is left to wait for, it is merged now."""
        with self._explained():
            pull = self._repository.get_pull(opened.number)
            if pull.auto_merge:
                return Merging("auto")
            if rules.queue:
                return self._enqueue(pull, landing, rules)
            if not rules.auto_merge:
                return Merging("by-hand", f"auto-merge is disabled in {self._project}: merge it on the forge")
            words = {
                "commit_headline": landing.headline or github.GithubObject.NotSet,
                "commit_body": landing.text or github.GithubObject.NotSet,
            }
            try:
                pull.enable_automerge(merge_method=landing.method.upper(), expected_head_oid=landing.commit, **words)
            except github.GithubException as error:
                if "clean status" not in str(error.data):
                    raise
                pull.merge(
                    merge_method=landing.method,
                    sha=landing.commit,
                    commit_title=words["commit_headline"],
                    commit_message=words["commit_body"],
                )
                return Merging("merged")
            return Merging("auto")

    def _enqueue(self, pull: PullRequest, landing: Landing, rules: Rules) -> Merging:
        """Join the merge queue, which takes only what has met the branch's conditions; else join it by auto-merge."""
        given = {"pullRequestId": pull.raw_data["node_id"], "expectedHeadOid": landing.commit}
        mutate = self._github.requester.graphql_named_mutation
        try:
            mutate("enqueuePullRequest", given, "mergeQueueEntry { position }")
        except github.GithubException as error:
            said = _message(error.data)
            if "already in the queue" in said.lower():
                return Merging("queued")
            if not rules.auto_merge:
                return Merging("by-hand", f"the merge queue does not take it yet: {said}; run the command again")
            mutate("enablePullRequestAutoMerge", given, "clientMutationId")
            return Merging("auto")
        return Merging("queued")

    def reviews(self, opened: Opened) -> Reviews:
        """The reviews of an open pull request."""
        with self._explained():
            return ask_reviews(self._github.requester, self._project, opened.number)

    def merged_reviews(self, commit: str, base: str, /) -> Reviews | None:
        """The reviews of the merged pull request that brought a commit to a branch."""
        with self._explained():
            return ask_merged_reviews(self._github.requester, self._project, commit, base)

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
        labels=tuple(label.name for label in pull.labels),
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
