"""Merge requests on GitLab, through python-gitlab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gitlab
import gitlab.exceptions
import requests
import tenacity

from cartwright.promotion.request.forge import Opened, Project, Request
from cartwright.registry.credentials import ca_bundle

__all__ = ["GitLab"]

_TIMEOUT = 20.0
_DRAFT = "Draft: "
_NOT_YET = frozenset({405, 406, 422})
"""How GitLab says that it has not looked at a new merge request yet, for some seconds after it was made."""
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
            if request.draft and merge.merge_when_pipeline_succeeds:
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

    def merge_when_ready(self, opened: Opened, commit: str) -> bool:
        """Have it merged when its pipeline succeeds; GitLab merges at once where there is none."""
        with self._explained():
            merge = self._there.mergerequests.get(opened.number, **_OPTIONS)
            if merge.merge_when_pipeline_succeeds:
                return False
            for attempt in tenacity.Retrying(
                retry=tenacity.retry_if_exception(_not_yet),
                stop=tenacity.stop_after_delay(self._patience),
                wait=tenacity.wait_exponential(multiplier=0.5, max=4),
                reraise=True,
            ):
                with attempt:
                    merge.merge(merge_when_pipeline_succeeds=True, sha=commit, **_OPTIONS)
            return bool(merge.state == "merged")

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
    )


def _title(request: Request) -> str:
    return f"{_DRAFT if request.draft else ''}{request.title}"


def _not_yet(error: BaseException) -> bool:
    return isinstance(error, gitlab.exceptions.GitlabError) and error.response_code in _NOT_YET
