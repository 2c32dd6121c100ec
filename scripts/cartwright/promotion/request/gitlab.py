"""Merge requests on GitLab, through python-gitlab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gitlab
import gitlab.exceptions
import requests
import tenacity

from cartwright.promotion.request.forge import Landing, Merging, Opened, Request
from cartwright.promotion.request.gitlabreviews import read_reviews
from cartwright.promotion.request.method import Rules
from cartwright.promotion.request.project import Project
from cartwright.promotion.reviews import Reviews
from cartwright.registry.credentials import ca_bundle

__all__ = ["GitLab"]

_TIMEOUT = 20.0
_DRAFT = "Draft: "
_NOT_YET = frozenset({405, 406, 422})
"""How GitLab says that it has not looked at a new merge request yet, for some seconds after it was made."""
_NO_REASON = frozenset({None, "mergeable", "checking", "unchecked", "preparing"})
"""What GitLab says of a merge request that nothing keeps from being merged, or that it still looks at."""
_OPTIONS: dict[str, Any] = {"obey_rate_limit": False, "retry_transient_errors": True, "max_retries": 3}
"""The library would wait for as long as a rate limit asks."""


class GitLab:
    """The forge of a project on GitLab."""

    def __init__(self, project: Project, *, patience: float = 20.0) -> None:
        self._project = project
        self._patience = patience
        is_job = project.token_name.startswith("CI_JOB")
        self._gitlab = gitlab.Gitlab(
            project.api,
            private_token=None if is_job else project.token,
            job_token=project.token if is_job else None,
            timeout=_TIMEOUT,
            ssl_verify=ca_bundle() or True,
            keep_base_url=True,
        )
        self._there = self._gitlab.projects.get(project.path, lazy=True)

    def open_requests(self, base: str) -> Sequence[Opened]:
        """The open merge requests for a branch, without those from forks."""
        with self._explained():
            found = self._there.mergerequests.list(state="opened", target_branch=base, get_all=True, **_OPTIONS)
            return [_opened(one) for one in found if one.source_project_id == one.target_project_id]

    def create(self, request: Request) -> Opened:
        """Open a merge request; one that another run has opened meanwhile is brought up to date instead."""
        with self._explained():
            try:
                made = self._there.mergerequests.create(
                    {
                        "source_branch": request.branch,
                        "target_branch": request.base,
                        "title": _title(request),
                        "description": request.body,
                        "remove_source_branch": True,
                        "squash": False,
                    },
                    **_OPTIONS,
                )
            except gitlab.exceptions.GitlabCreateError as error:
                if error.response_code != 409:
                    raise
                there = self._there.mergerequests.list(
                    state="opened", source_branch=request.branch, target_branch=request.base, get_all=True, **_OPTIONS
                )
                if not there:
                    raise
                return self.update(_opened(there[0]), request)
            return _opened(made)

    def update(self, opened: Opened, request: Request) -> Opened:
        """Give a merge request title, text and draft state (part of the title); no draft is merged later on."""
        with self._explained():
            merge = self._there.mergerequests.get(opened.number, **_OPTIONS)
            if not request.may_merge and merge.merge_when_pipeline_succeeds:
                merge.cancel_merge_when_pipeline_succeeds(**_OPTIONS)
            merge.title, merge.description = _title(request), request.body
            merge.save(**_OPTIONS)
            return _opened(merge)

    def label(self, opened: Opened, labels: Sequence[str]) -> None:
        """Add labels; GitLab makes those that are new."""
        with self._explained():
            self._there.mergerequests.update(opened.number, {"add_labels": ",".join(labels)}, **_OPTIONS)

    def close(self, opened: Opened, comment: str) -> None:
        """Say why, close it, and remove its branch."""
        with self._explained():
            merge = self._there.mergerequests.get(opened.number, **_OPTIONS)
            merge.notes.create({"body": comment}, **_OPTIONS)
            merge.state_event = "close"
            merge.save(**_OPTIONS)
            try:
                self._there.branches.delete(opened.branch, **_OPTIONS)
            except gitlab.exceptions.GitlabDeleteError as error:
                if error.response_code != 404:
                    raise

    def rules(self, base: str) -> Rules:  # noqa: ARG002 - GitLab has one method for all branches of a project
        """What the project's settings say."""
        with self._explained():
            project = self._gitlab.projects.get(self._project.path, **_OPTIONS)
            squash = project.attributes.get("squash_option", "default_off")
            methods = {"fast-forward" if project.merge_method == "ff" else "merge"} if squash != "always" else set()
            return Rules(
                methods=methods | ({"squash"} if squash != "never" else set()),
                queue=bool(project.attributes.get("merge_trains_enabled")),
            )

    def merge_when_ready(self, opened: Opened, landing: Landing, rules: Rules) -> Merging:
        """Have it merged when its pipeline succeeds, by the train where there is one; GitLab merges at once without."""
        with self._explained():
            merge = self._there.mergerequests.get(opened.number, **_OPTIONS)
            if merge.merge_when_pipeline_succeeds:
                return Merging("queued" if rules.queue else "auto")
            squash = landing.method == "squash"
            # Both names of the option: GitLab 17.11 took the first in place of the second.
            given = {"sha": landing.commit, "squash": squash, "auto_merge": True}
            if rules.queue:
                place = f"{self._there.manager.path}/{self._there.encoded_id}/merge_trains/merge_requests/{merge.iid}"
                self._gitlab.http_post(place, post_data={**given, "when_pipeline_succeeds": True}, **_OPTIONS)
                return Merging("queued")
            if landing.message is not None:
                given["squash_commit_message" if squash else "merge_commit_message"] = landing.message
            given["merge_when_pipeline_succeeds"] = True
            try:
                merged = self._merge(merge, given)
            except gitlab.exceptions.GitlabHttpError as error:
                status = self._there.mergerequests.get(opened.number, **_OPTIONS).attributes.get(
                    "detailed_merge_status"
                )
                if not _not_yet(error) or status in _NO_REASON:
                    raise
                words = str(status).replace("_", " ")
                return Merging("by-hand", f"{self._project} does not merge it yet ({words}): run the command again")
            return Merging("merged" if merged["state"] == "merged" else "auto")

    def _merge(self, merge: Any, given: dict[str, Any]) -> dict[str, Any]:
        """Accept the merge request; GitLab looks at a new one for some seconds first."""
        place = f"{merge.manager.path}/{merge.encoded_id}/merge"
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception(_not_yet),
            stop=tenacity.stop_after_delay(self._patience),
            wait=tenacity.wait_exponential(multiplier=0.5, max=4),
            reraise=True,
        ):
            with attempt:
                merged = self._gitlab.http_put(place, post_data=given, **_OPTIONS)
        if not isinstance(merged, dict):
            raise gitlab.exceptions.GitlabParsingError("the answer is not a merge request")
        return merged

    def reviews(self, opened: Opened) -> Reviews:
        """The approvals of an open merge request."""
        with self._explained():
            return read_reviews(self._there.mergerequests.get(opened.number, **_OPTIONS), self._project, **_OPTIONS)

    def merged_reviews(self, commit: str, base: str, /) -> Reviews | None:
        """The approvals of the merged merge request that brought a commit to a branch."""
        with self._explained():
            found = self._there.commits.get(commit, lazy=True).merge_requests(get_all=True, **_OPTIONS)
            number = next(
                (one["iid"] for one in found if one["state"] == "merged" and one["target_branch"] == base), None
            )
            if number is None:
                return None
            return read_reviews(self._there.mergerequests.get(number, **_OPTIONS), self._project, **_OPTIONS)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Every failure of the library as one sentence."""
        try:
            yield
        except gitlab.exceptions.GitlabError as error:
            needs = "scope api, role Developer"
            raise self._project.refusal(error.response_code or 0, error.error_message, needs=needs) from error
        except requests.RequestException as error:
            raise self._project.unreachable(error) from error


def _opened(merge: Any) -> Opened:
    return Opened(
        number=merge.iid,
        url=merge.web_url,
        branch=merge.source_branch,
        title=merge.title.removeprefix(_DRAFT),
        body=merge.description or "",
        draft=merge.title.startswith(_DRAFT),
        labels=tuple(merge.labels),
    )


def _title(request: Request) -> str:
    return f"{_DRAFT if request.draft else ''}{request.title}"


def _not_yet(error: BaseException) -> bool:
    return isinstance(error, gitlab.exceptions.GitlabError) and error.response_code in _NOT_YET
