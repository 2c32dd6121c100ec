"""Who approved a pull request on GitHub, asked by GraphQL: it knows each person's last word and who may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cartwright.promotion.request.project import Project
from cartwright.promotion.reviews import Review, Reviews

if TYPE_CHECKING:
    from github.Requester import Requester

__all__ = ["ask_merged_reviews", "ask_reviews"]

_FIELDS = """
fragment fields on PullRequest {
  url headRefOid mergedAt baseRefName
  author { login }
  commits(first: 100) { nodes { commit { authors(first: 10) { nodes { user { login } } } } } }
  latestOpinionatedReviews(first: 100) {
    nodes { state submittedAt authorCanPushToRepository commit { oid } author { login ... on User { databaseId } } }
  }
}"""
_OF_REQUEST = """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { ...fields } }
}"""
_OF_COMMIT = """
query($owner: String!, $name: String!, $commit: GitObjectID!) {
  repository(owner: $owner, name: $name) {
    object(oid: $commit) { ... on Commit { associatedPullRequests(first: 20) { nodes { ...fields } } } }
  }
}"""


def ask_reviews(requester: Requester, project: Project, number: int) -> Reviews:
    """The reviews of a pull request. Raises what the library raises."""
    return _reviews(_ask(requester, project, _OF_REQUEST, number=number)["pullRequest"], project)


def ask_merged_reviews(requester: Requester, project: Project, commit: str, base: str) -> Reviews | None:
    """The reviews of the merged pull request that brought a commit to a branch. Raises what the library raises."""
    known = _ask(requester, project, _OF_COMMIT, commit=commit)["object"]
    for one in known["associatedPullRequests"]["nodes"] if known else ():
        if one["mergedAt"] and one["baseRefName"] == base:
            return _reviews(one, project)
    return None


def _ask(requester: Requester, project: Project, query: str, **variables: object) -> dict[str, Any]:
    owner, _, name = project.path.partition("/")
    said = requester.graphql_query(query + _FIELDS, {"owner": owner, "name": name, **variables})[1]
    found: dict[str, Any] = said["data"]["repository"]
    return found


def _reviews(pull: dict[str, Any], project: Project) -> Reviews:
    writers = (one["user"] for node in pull["commits"]["nodes"] for one in node["commit"]["authors"]["nodes"])
    return Reviews(
        url=pull["url"],
        head=pull["headRefOid"],
        authors=frozenset(one["login"] for one in (pull["author"], *writers) if one),
        approving=tuple(
            Review(
                login=one["author"]["login"],
                who=_who(one["author"], project),
                commit=one["commit"]["oid"] if one["commit"] else "",
                late=bool(pull["mergedAt"]) and one["submittedAt"] > pull["mergedAt"],
                entitled=one["authorCanPushToRepository"],
            )
            for one in pull["latestOpinionatedReviews"]["nodes"]
            # A program has no number among the users, and is nobody who could approve.
            if one["state"] == "APPROVED" and one["author"] and "databaseId" in one["author"]
        ),
    )


def _who(author: dict[str, Any], project: Project) -> str:
    host = urlsplit(project.api).hostname or ""
    place = "github.com" if host == "api.github.com" else host
    return f"{author['login']} <{author['databaseId']}+{author['login']}@users.noreply.{place}>"
