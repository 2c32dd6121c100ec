"""A fake of GitHub and of GitLab over a real bare repository: the documented parts of their APIs that promotion uses.

It refuses what the documentation does not allow: unknown fields, wrong types, branches that are not there.

GitHub: REST "pulls", "issues", "git refs", "rules", and GraphQL for drafts, auto-merge, merge queues and reviews.
GitLab: REST v4 "projects", "merge requests", "approvals", "notes", "versions", "branches", "merge trains".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "of-the-tests-only"
PROJECT = "example/shop"

_CREATE_PULL = {"title": str, "head": str, "base": str, "body": str, "draft": bool, "maintainer_can_modify": bool}
_EDIT_PULL = {"title": str, "body": str, "state": str, "base": str, "maintainer_can_modify": bool}
_CREATE_MERGE = {
    **dict.fromkeys(("source_branch", "target_branch", "title", "description", "labels"), str),
    **dict.fromkeys(("remove_source_branch", "squash"), bool),
}
_EDIT_MERGE = {
    **dict.fromkeys(("title", "description", "add_labels", "state_event", "target_branch"), str),
    **dict.fromkeys(("remove_source_branch", "squash", "discussion_locked"), bool),
}
_MUTATIONS = {
    "enablePullRequestAutoMerge": {
        *("pullRequestId", "mergeMethod", "expectedHeadOid", "authorEmail", "commitBody", "commitHeadline"),
        "clientMutationId",
    },
    "disablePullRequestAutoMerge": {"pullRequestId", "clientMutationId"},
    "convertPullRequestToDraft": {"pullRequestId", "clientMutationId"},
    "markPullRequestReadyForReview": {"pullRequestId", "clientMutationId"},
    "enqueuePullRequest": {"pullRequestId", "expectedHeadOid", "jump", "clientMutationId"},
}
_ACCEPT = {
    **dict.fromkeys(("sha", "merge_commit_message", "squash_commit_message"), str),
    **dict.fromkeys(("squash", "auto_merge", "merge_when_pipeline_succeeds", "should_remove_source_branch"), bool),
}
_TRAIN = {"sha": str, **dict.fromkeys(("squash", "auto_merge", "when_pipeline_succeeds"), bool)}
_QUERY_WORDS = frozenset(
    """query fragment fields on owner name number branch commit String Int GitObjectID repository object oid first nodes
    Commit User PullRequest pullRequest associatedPullRequests url headRefOid mergedAt baseRefName author login commits
    authors user databaseId latestOpinionatedReviews state submittedAt authorCanPushToRepository mergeCommitAllowed
    rebaseMergeAllowed squashMergeAllowed autoMergeAllowed mergeQueue configuration mergeMethod""".split()  # noqa: SIM905
)
BEGIN = "2026-11-21T08:00:00Z"
"""When every head of a request came; reviews say their own time."""


@dataclass
class Refused(Exception):
    """An answer other than success."""

    code: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Approval:
    """A person's review that approves."""

    login: str
    commit: str
    """The head that was reviewed."""
    time: str = "2026-11-21T09:00:00Z"
    may_write: bool = True
    is_program: bool = False
    state: str = "APPROVED"


@dataclass
class Change:
    """A pull or merge request."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    draft: bool = False
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    auto_merge: bool = False
    from_fork: bool = False
    asked_to_merge: int = 0
    author: str = "ci"
    approvals: list[Approval] = field(default_factory=list)
    queued: bool = False
    merging: dict[str, Any] = field(default_factory=dict)
    """What was said of how it shall be merged."""
    merged_at: str | None = None
    head: str | None = None
    """The commit that was merged, once it is."""
    landed: tuple[str, ...] = ()
    """Commits of the base that it brought."""


class FakeForge:
    """What the forge has, what it was asked, and what it shall answer next."""

    def __init__(self, remote: Path) -> None:
        self.remote = remote
        self.url = ""
        self.changes: list[Change] = []
        self.asked: list[str] = []
        """``METHOD path`` of each request; a query of GraphQL is a GET, as it changes nothing."""
        self.answers: list[tuple[str, Refused]] = []
        """``METHOD path`` as a pattern, and what is answered to the first request that fits."""
        self.nothing_to_wait_for = False
        """No check and no review is asked for: GitHub refuses auto-merge, GitLab merges at once."""
        self.methods = {"merge", "rebase", "squash"}
        """What the repository allows; on GitLab ``merge`` or ``ff``, and ``squash`` alone where it must be."""
        self.auto_merge_allowed = True
        self.queue: str | None = None
        """Method of the merge queue, where there is one; on GitLab any word for a merge train."""
        self.queue_refuses: str | None = None
        """Why the queue takes nothing yet."""
        self.rulesets: list[dict[str, Any]] = []
        """GitHub's active rules for the base."""
        self.status = "mergeable"
        """GitLab's detailed_merge_status of every merge request."""
        self.looks_later = 0
        """How often GitLab answers 405 before it has looked at a merge request."""

    def open(self) -> list[Change]:
        """The open requests."""
        return [one for one in self.changes if one.state == "open"]

    def commit_of(self, branch: str) -> str | None:
        """Where a branch of the remote stands."""
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"],
            cwd=self.remote, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip() or None

    def delete(self, branch: str) -> None:
        """Remove a branch of the remote."""
        subprocess.run(["git", "update-ref", "-d", f"refs/heads/{branch}"], cwd=self.remote, check=True)

    def merge(self, change: Change, sha: str | None) -> None:
        """Move the base to the request's commit."""
        commit = self.commit_of(change.branch)
        if sha is not None and sha != commit:
            raise Refused(409, {"message": "Head branch was modified. Review and try the merge again."})
        self.land(change, str(commit))

    def land(self, change: Change, commit: str, *, at: str = "2026-11-21T10:00:00Z") -> None:
        """Move the base to a commit that brings the request."""
        change.head = self.commit_of(change.branch)
        subprocess.run(["git", "update-ref", f"refs/heads/{change.base}", commit], cwd=self.remote, check=True)
        change.state, change.merged_at, change.landed = "merged", at, (commit, str(change.head))

    def write(self, change: Change, message: str, *, parents: tuple[str, ...] = (), who: str = "GitHub") -> str:
        """Write a commit of the request's tree as the forge would: a squash, or with further parents a merge."""
        ident = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER")
                 for part, value in (("NAME", who), ("EMAIL", "noreply@forge.example.com"))}  # fmt: skip
        words = [f"-p{one}" for one in (str(self.commit_of(change.base)), *parents)]
        done = subprocess.run(
            ["git", "commit-tree", f"{change.branch}^{{tree}}", *words, "-F", "-"],
            cwd=self.remote, capture_output=True, text=True, check=True, input=message, env={**os.environ, **ident},
        )  # fmt: skip
        return done.stdout.strip()

    def head_of(self, change: Change) -> str | None:
        """Newest commit of a request; its branch may be gone."""
        return change.head or self.commit_of(change.branch)

    def find(self, number: str) -> Change:
        """A request by its number."""
        found = [one for one in self.changes if one.number == int(number)]
        if not found:
            raise Refused(404, {"message": "Not Found"})
        return found[0]

    def add(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> Change:
        """Open a request."""
        change = Change(len(self.changes) + 1, branch, base, title, body, draft)
        self.changes.append(change)
        return change


def require(data: Any, known: Mapping[str, type], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The body of a request, proved to be as documented."""
    if not isinstance(data, dict):
        raise Refused(400, {"message": "Body should be a JSON object"})
    problems = [f"unknown field {name}" for name in data.keys() - known.keys()]
    problems += [f"missing {name}" for name in needed if name not in data]
    problems += [f"{name} is no {known[name].__name__}" for name in data.keys() & known.keys()
                 if not isinstance(data[name], known[name])]  # fmt: skip
    if problems:
        raise Refused(422, {"message": "Validation Failed", "errors": [{"message": one} for one in problems]})
    return data


# --- GitHub -----------------------------------------------------------------------------------------


def pull_json(forge: FakeForge, one: Change) -> dict[str, Any]:
    place = f"{forge.url}/repos/{PROJECT}"
    return {
        "number": one.number,
        "node_id": f"PR_{one.number}",
        "url": f"{place}/pulls/{one.number}",
        "issue_url": f"{place}/issues/{one.number}",
        "html_url": f"https://github.example.com/{PROJECT}/pull/{one.number}",
        "title": one.title,
        "body": one.body,
        "draft": one.draft,
        "state": "open" if one.state == "open" else "closed",
        "auto_merge": {"merge_method": "rebase"} if one.auto_merge else None,
        "labels": [{"name": name} for name in one.labels],
        "head": {
            "ref": one.branch,
            "sha": forge.commit_of(one.branch),
            "repo": {"full_name": "somebody/fork" if one.from_fork else PROJECT},
        },
        "base": {"ref": one.base},
    }


def github(  # noqa: PLR0911, PLR0912 - one case for each operation
    forge: FakeForge, method: str, path: str, query: dict[str, str], data: Any
) -> tuple[int, Any]:
    place = f"/repos/{PROJECT}"
    match (method, *unquote(path).removeprefix(place).strip("/").split("/")):
        case ("GET", "pulls"):
            head = query.get("head", "").partition(":")[2]
            found = [one for one in forge.open() if query.get("base", one.base) == one.base]
            return 200, [pull_json(forge, one) for one in found if not head or one.branch == head]
        case ("POST", "pulls"):
            require(data, _CREATE_PULL, ("head", "base"))
            if any((one.branch, one.base) == (data["head"], data["base"]) for one in forge.open()):
                message = f"A pull request already exists for example:{data['head']}."
                error = {"resource": "PullRequest", "code": "custom", "message": message}
                raise Refused(422, {"message": "Validation Failed", "errors": [error]})
            if forge.commit_of(data["head"]) is None or forge.commit_of(data["base"]) is None:
                error = {"resource": "PullRequest", "field": "head", "code": "invalid"}
                raise Refused(422, {"message": "Validation Failed", "errors": [error]})
            made = forge.add(data["head"], data["base"], data["title"], data["body"], draft=data.get("draft", False))
            return 201, pull_json(forge, made)
        case ("GET", "pulls", number):
            return 200, pull_json(forge, forge.find(number))
        case ("PATCH", "pulls", number):
            require(data, _EDIT_PULL)
            one = forge.find(number)
            one.title, one.body = data.get("title", one.title), data.get("body", one.body)
            one.state = data.get("state", one.state)
            return 200, pull_json(forge, one)
        case ("PUT", "pulls", number, "merge"):
            if data.get("merge_method") not in forge.methods:
                raise Refused(
                    405, {"message": f"{data.get('merge_method')} merges are not allowed on this repository."}
                )
            forge.find(number).merging = data
            forge.merge(forge.find(number), data.get("sha"))
            return 200, {"merged": True, "message": "Pull Request successfully merged", "sha": data.get("sha")}
        case ("GET", "rules", "branches", _):
            return 200, forge.rulesets
        case ("GET", "issues", number):
            return 200, {"number": int(number), "url": f"{forge.url}{place}/issues/{number}"}
        case ("POST", "issues", number, "labels"):
            names = data if isinstance(data, list) else data["labels"]
            one = forge.find(number)
            one.labels += [name for name in names if name not in one.labels]
            return 200, [{"name": name} for name in one.labels]
        case ("POST", "issues", number, "comments"):
            require(data, {"body": str}, ("body",))
            forge.find(number).comments.append(data["body"])
            return 201, {"id": 1, "body": data["body"]}
        case ("GET", "git", "matching-refs", "heads", *words):
            name = "/".join(words)
            found = {"ref": f"refs/heads/{name}", "url": f"{forge.url}{place}/git/refs/heads/{name}"}
            return 200, [found] if forge.commit_of(name) else []
        case ("DELETE", "git", "refs", "heads", *words):
            forge.delete("/".join(words))
            return 204, None
    if (method, path) == ("POST", "/graphql"):
        return 200, graphql(forge, data)
    raise Refused(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


def asked_rules(forge: FakeForge) -> dict[str, Any]:
    names = {"merge": "mergeCommitAllowed", "rebase": "rebaseMergeAllowed", "squash": "squashMergeAllowed"}
    return {
        **{setting: method in forge.methods for method, setting in names.items()},
        "autoMergeAllowed": forge.auto_merge_allowed,
        "mergeQueue": {"configuration": {"mergeMethod": forge.queue}} if forge.queue else None,
    }


def asked_reviews(forge: FakeForge, one: Change) -> dict[str, Any]:
    def person(review: Approval) -> dict[str, Any]:
        number = {} if review.is_program else {"databaseId": len(review.login)}
        return {"login": review.login, **number}

    reviews = [
        {
            "state": review.state,
            "submittedAt": review.time,
            "authorCanPushToRepository": review.may_write,
            "commit": {"oid": review.commit},
            "author": person(review),
        }
        for review in one.approvals
    ]
    return {
        "url": f"https://github.example.com/{PROJECT}/pull/{one.number}",
        "headRefOid": forge.head_of(one),
        "mergedAt": one.merged_at,
        "baseRefName": one.base,
        "author": {"login": one.author},
        "commits": {"nodes": [{"commit": {"authors": {"nodes": [{"user": None}]}}}]},
        "latestOpinionatedReviews": {"nodes": reviews},
    }


def query(forge: FakeForge, text: str, given: dict[str, Any]) -> dict[str, Any]:
    unknown = set(re.findall(r"[A-Za-z]+", re.sub(r"\$[a-z]+", "", text))) - _QUERY_WORDS
    if unknown:
        return {"errors": [{"message": f"Field {', '.join(sorted(unknown))} doesn't exist"}]}
    if "mergeQueue" in text:
        found = asked_rules(forge)
    elif "number" in given:
        found = {"pullRequest": asked_reviews(forge, forge.find(given["number"]))}
    else:
        pulls = [asked_reviews(forge, one) for one in forge.changes if given["commit"] in (*one.landed, one.head)]
        found = {"object": {"associatedPullRequests": {"nodes": pulls}}}
    return {"data": {"repository": found}}


def graphql(forge: FakeForge, data: Any) -> dict[str, Any]:  # noqa: PLR0911
    if not data["query"].strip().startswith("mutation"):
        return query(forge, data["query"], data["variables"])
    name = next(one for one in _MUTATIONS if one in data["query"])
    given = data["variables"]["input"]
    unknown = given.keys() - _MUTATIONS[name]
    if unknown or "pullRequestId" not in given:
        return {"errors": [{"message": f"Variable $input was provided invalid value for {', '.join(unknown)}"}]}
    one = forge.find(given["pullRequestId"].removeprefix("PR_"))
    if name == "enablePullRequestAutoMerge":
        if not forge.auto_merge_allowed:
            return refused(name, "Auto merge is not allowed for this repository")
        if not forge.queue and given.get("mergeMethod", "MERGE").lower() not in forge.methods:
            return refused(name, f"Merge method {given.get('mergeMethod', 'MERGE').lower()} merging is not allowed")
        if forge.nothing_to_wait_for:
            text = "Pull request Pull request is in clean status"
            return {"data": {name: None}, "errors": [{"type": "UNPROCESSABLE", "path": [name], "message": text}]}
        if one.draft or given.get("expectedHeadOid") != forge.commit_of(one.branch):
            return {"data": {name: None}, "errors": [{"type": "UNPROCESSABLE", "message": "Pull request is a draft"}]}
        one.auto_merge, one.merging = True, given
        return {"data": {name: {"actor": {"login": "ci"}, "clientMutationId": None}}}
    if name == "enqueuePullRequest":
        if not forge.queue or forge.queue_refuses or given.get("expectedHeadOid") != forge.commit_of(one.branch):
            return refused(name, forge.queue_refuses or "Merge queue not found")
        if one.queued:
            return refused(name, "The pull request is already in the queue")
        one.queued = True
        return {"data": {name: {"mergeQueueEntry": {"position": 1}}}}
    if name == "disablePullRequestAutoMerge":
        one.auto_merge = False
        return {"data": {name: {"actor": {"login": "ci"}, "clientMutationId": None}}}
    one.draft = name == "convertPullRequestToDraft"
    return {"data": {name: {"clientMutationId": None, "pullRequest": {"id": f"PR_{one.number}", "isDraft": one.draft}}}}


def refused(name: str, text: str) -> dict[str, Any]:
    return {"data": {name: None}, "errors": [{"type": "UNPROCESSABLE", "path": [name], "message": text}]}


# --- GitLab -----------------------------------------------------------------------------------------


def merge_json(forge: FakeForge, one: Change) -> dict[str, Any]:
    return {
        "id": 1000 + one.number,
        "iid": one.number,
        "project_id": 7,
        "source_project_id": 8 if one.from_fork else 7,
        "target_project_id": 7,
        "source_branch": one.branch,
        "target_branch": one.base,
        "title": one.title,
        "description": one.body,
        "state": {"open": "opened"}.get(one.state, one.state),
        "labels": list(one.labels),
        "sha": forge.head_of(one),
        "author": {"username": one.author},
        "merged_at": one.merged_at,
        "detailed_merge_status": forge.status,
        "merge_when_pipeline_succeeds": one.auto_merge,
        "web_url": f"https://gitlab.example.com/{PROJECT}/-/merge_requests/{one.number}",
    }


def gitlab(  # noqa: PLR0911, PLR0912, PLR0915 - one case for each operation
    forge: FakeForge, method: str, path: str, query: dict[str, str], data: Any
) -> tuple[int, Any]:
    path = path.replace("/projects/7/", f"/projects/{PROJECT.replace('/', '%2F')}/")  # the project by its number
    place = f"/api/v4/projects/{PROJECT.replace('/', '%2F')}"
    if not path.startswith(place):
        raise Refused(404, {"message": "404 Project Not Found"})
    match (method, *path.removeprefix(place).strip("/").split("/")):
        case ("GET", ""):
            squash = "default_off" if "squash" in forge.methods else "never"
            return 200, {
                "id": 7,
                "path_with_namespace": PROJECT,
                "merge_method": "ff" if "ff" in forge.methods else "merge",
                "squash_option": "always" if forge.methods == {"squash"} else squash,
                "merge_trains_enabled": bool(forge.queue),
            }
        case ("GET", "merge_requests", number, "approvals"):
            given = forge.find(number).approvals
            return 200, {
                "approved_by": [
                    {"user": {"id": len(one.login), "username": one.login, "name": one.login.title()},
                     **({} if one.is_program else {"approved_at": one.time})}
                    for one in given if one.state == "APPROVED"
                ]
            }  # fmt: skip
        case ("GET", "merge_requests", number, "versions"):
            return 200, [{"id": 1, "head_commit_sha": forge.head_of(forge.find(number)), "created_at": BEGIN}]
        case ("GET", "merge_requests", number, "notes"):
            return 200, [
                {"id": 1, "system": True, "body": "approved this merge request", "created_at": one.time,
                 "author": {"username": one.login}}
                for one in forge.find(number).approvals
            ]  # fmt: skip
        case ("GET", "repository", "commits", commit, "merge_requests"):
            return 200, [merge_json(forge, one) for one in forge.changes if commit in (*one.landed, one.head)]
        case ("POST", "merge_trains", "merge_requests", number):
            require(data, _TRAIN)
            one = forge.find(number)
            if not forge.queue or data["sha"] != forge.commit_of(one.branch):
                raise Refused(403, {"message": "403 Forbidden"})
            one.queued, one.merging = True, data
            return 201, [{"id": 1, "status": "idle"}]
        case ("GET", "merge_requests"):
            found = [one for one in forge.open() if query.get("target_branch", one.base) == one.base]
            source = query.get("source_branch")
            return 200, [merge_json(forge, one) for one in found if source in {None, one.branch}]
        case ("POST", "merge_requests"):
            require(data, _CREATE_MERGE, ("source_branch", "target_branch", "title"))
            there = [one for one in forge.open() if one.branch == data["source_branch"]]
            if there:
                text = f"Another open merge request already exists for this source branch: !{there[0].number}"
                raise Refused(409, {"message": [text]})
            made = forge.add(
                data["source_branch"], data["target_branch"], data["title"], data.get("description", ""), draft=False
            )
            return 201, merge_json(forge, made)
        case ("GET", "merge_requests", number):
            return 200, merge_json(forge, forge.find(number))
        case ("PUT", "merge_requests", number):
            require(data, _EDIT_MERGE)
            one = forge.find(number)
            one.title, one.body = data.get("title", one.title), data.get("description", one.body)
            added = data.get("add_labels", "").split(",")
            one.labels += [label for label in added if label and label not in one.labels]
            one.state = "closed" if data.get("state_event") == "close" else one.state
            return 200, merge_json(forge, one)
        case ("POST", "merge_requests", number, "notes"):
            require(data, {"body": str}, ("body",))
            forge.find(number).comments.append(data["body"])
            return 201, {"id": 1, "body": data["body"]}
        case (_, "merge_requests", number, "cancel_merge_when_pipeline_succeeds"):
            forge.find(number).auto_merge = False
            return 201, merge_json(forge, forge.find(number))
        case ("PUT", "merge_requests", number, "merge"):
            one = forge.find(number)
            one.asked_to_merge += 1
            if forge.looks_later or one.title.startswith("Draft:"):
                forge.looks_later = max(0, forge.looks_later - 1)
                raise Refused(405, {"message": "405 Method Not Allowed"})
            if forge.status != "mergeable":
                raise Refused(405, {"message": "405 Method Not Allowed"})
            one.merging = require(data, _ACCEPT)
            if forge.nothing_to_wait_for:
                forge.merge(one, data.get("sha"))
            else:
                one.auto_merge = data["merge_when_pipeline_succeeds"]
            return 200, merge_json(forge, one)
        case ("DELETE", "repository", "branches", name):
            if forge.commit_of(unquote(name)) is None:
                raise Refused(404, {"message": "404 Branch Not Found"})
            forge.delete(unquote(name))
            return 204, None
    raise Refused(404, {"error": "404 Not Found"})


@contextmanager
def serve(remote: Path, kind: str) -> Iterator[FakeForge]:
    """Run the fake for the time of the block."""
    forge = FakeForge(remote)
    speak: Callable[..., tuple[int, Any]] = github if kind == "github" else gitlab

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            data = json.loads(self.rfile.read(length)) if length else None
            reads = parts.path == "/graphql" and not data["query"].strip().startswith("mutation")
            forge.asked.append(f"{'GET' if reads else self.command} {parts.path}")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers: Mapping[str, str] = {}
            try:
                self._authenticate()
                for number, (pattern, answer) in enumerate(forge.answers):
                    if re.fullmatch(pattern, f"{self.command} {parts.path}"):
                        del forge.answers[number]
                        raise answer
                code, content = speak(forge, self.command, parts.path, query, data)
            except Refused as refused:
                code, content, headers = refused.code, refused.content, refused.headers
            payload = b"" if content is None else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(payload)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def _authenticate(self) -> None:
            given = (
                self.headers.get("PRIVATE-TOKEN") or self.headers.get("JOB-TOKEN")
                if kind == "gitlab"
                else (self.headers.get("Authorization") or "").partition(" ")[2]
            )
            if given != TOKEN:
                raise Refused(401, {"message": "Bad credentials" if kind == "github" else "401 Unauthorized"})

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    forge.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
