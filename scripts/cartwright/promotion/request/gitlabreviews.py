"""Who approved a merge request on GitLab. Its approvals name no commit: their time tells which version they are of."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlsplit

from cartwright.promotion.request.project import Project
from cartwright.promotion.reviews import Review, Reviews

__all__ = ["read_reviews"]

_APPROVED = "approved this merge request"


def read_reviews(merge: Any, project: Project, **options: Any) -> Reviews:
    """The approvals of a merge request. Raises what the library raises.

    Args:
        merge: the library's merge request.
        options: of each request.
    """
    approvals = merge.approvals.get(**options).approved_by
    versions = merge.diffs.list(get_all=True, **options)
    newest = max(versions, key=lambda one: _moment(one.created_at), default=None)
    since = _moment(newest.created_at) if newest else None
    merged = _moment(merge.merged_at) if merge.attributes.get("merged_at") else None
    times = _times(merge, approvals, **options) if approvals else {}
    found = []
    for one in approvals:
        user = one["user"]
        time = times.get(user["username"])
        fresh = time is not None and since is not None and time >= since
        found.append(
            Review(
                login=user["username"],
                who=_who(user, project),
                commit=merge.sha if fresh else "",
                late=bool(time and merged and time > merged),
            )
        )
    return Reviews(
        url=merge.web_url, head=merge.sha, authors=frozenset({merge.author["username"]}), approving=tuple(found)
    )


def _times(merge: Any, approvals: list[dict[str, Any]], **options: Any) -> dict[str, datetime.datetime]:
    """When each person approved last: older versions of GitLab tell that in the notes they write themselves."""
    told = {one["user"]["username"]: _moment(one["approved_at"]) for one in approvals if one.get("approved_at")}
    if len(told) == len(approvals):
        return told
    for note in merge.notes.list(get_all=True, order_by="created_at", sort="asc", **options):
        if note.system and note.body == _APPROVED:
            told[note.author["username"]] = _moment(note.created_at)
    return told


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _who(user: dict[str, Any], project: Project) -> str:
    host = urlsplit(project.api).hostname or "gitlab"
    return f"{user['name']} <{user['id']}-{user['username']}@users.noreply.{host}>"
