"""A repository on a forge: where its API answers, with which token, and what its refusals mean."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cartwright.kernel.errors import CartwrightError, UserError, nearest

__all__ = ["KINDS", "ForgeError", "Project", "find_project"]

_NAMES = {"github": "GitHub", "gitlab": "GitLab"}
KINDS = tuple(_NAMES)
_TOKENS = {"github": ("GITHUB_TOKEN", "GH_TOKEN"), "gitlab": ("GITLAB_TOKEN", "CI_JOB_TOKEN")}
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")


class ForgeError(CartwrightError):
    """A forge refuses, or can't be reached; the message says why, ``code`` says it to programs.

    Codes: ``no-token``, ``unauthorized``, ``forbidden``, ``not-found``, ``refused``, ``rate-limited``,
    ``unavailable``, ``unreachable``.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Project:
    """A repository on a forge."""

    kind: str
    """``github`` or ``gitlab``."""
    api: str
    """Where its API answers: ``https://api.github.com``, ``https://gitlab.com``."""
    path: str
    """``owner/name``; on GitLab with all groups."""
    token: str
    token_name: str
    """The variable that it came from."""

    def refusal(self, status: int, said: object, *, needs: str, again: str = "") -> ForgeError:
        """What an answer of the forge means.

        Args:
            status: of HTTP; 0 where there was none.
            said: the forge's own words.
            needs: what the token must be allowed to do.
            again: when a rate limit ends, where that is known.
        """
        words = _one_line(said, self.token)
        code, sentence = {
            401: ("unauthorized", f"the token in {self.token_name} is refused"),
            403: ("forbidden", f"the token in {self.token_name} may not do this: {words} ({needs})"),
            404: ("not-found", f"not there, or the token in {self.token_name} may not see it"),
            429: ("rate-limited", f"the rate limit is reached{again}"),
        }.get(status, ("refused", f"refuses: {words}"))
        if status >= 500:
            code, sentence = "unavailable", f"answers {status}: {words}"
        return ForgeError(code, f"{self}: {sentence}")

    def unreachable(self, error: Exception) -> ForgeError:
        """What it means that the forge does not answer."""
        return ForgeError("unreachable", f"{self}: can't be reached: {_one_line(error, self.token)}")

    def __str__(self) -> str:
        return f"{_NAMES[self.kind]} {self.path}"

    def __repr__(self) -> str:
        return f"Project({self.kind}, {self.api}, {self.path}, token of {self.token_name})"


def find_project(
    remote_url: str,
    *,
    kind: str | None = None,
    path: str | None = None,
    api: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Project:
    """The project that a remote's URL names, and the token for it.

    Args:
        remote_url: as Git has it: https, ssh, or ``git@host:path``.
        kind: ``github`` or ``gitlab``, where the host's name does not tell.
        path: ``owner/name``, where the URL does not tell.
        api: where the API answers, where it is not the usual place.

    Raises:
        UserError: it can't be told which forge or project is meant.
        ForgeError: no token.
    """
    host, found, place = _split(remote_url)
    if kind is None:
        kind = next((one for one in KINDS if one in host), None)
        if kind is None:
            raise UserError(f"unknown forge at '{host or remote_url}'", hint="pass --forge github or --forge gitlab")
    if kind not in KINDS:
        raise UserError(f"no forge '{kind}'", hint=nearest(kind, KINDS))
    path = path or found
    if not path or "/" not in path:
        raise UserError(f"the remote's URL '{host}' names no project", hint="pass --project OWNER/NAME")
    name = next((one for one in _TOKENS[kind] if environ.get(one)), None)
    if name is None:
        raise ForgeError("no-token", f"{kind}: no token (set {' or '.join(_TOKENS[kind])})")
    return Project(kind=kind, api=api or _api(kind, host, place), path=path, token=environ[name], token_name=name)


def _split(url: str) -> tuple[str, str, str]:
    """Host and path of a Git URL, and where the same host answers over HTTP."""
    if "://" in url:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
        web = parts.scheme in {"http", "https"}  # the port of ssh is not that of the API
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if web else f"https://{host}"
    elif match := _SCP.fullmatch(url):
        host, path = match["host"], match["path"]
        place = f"https://{host}"
    else:
        return "", "", ""
    return host, path.strip("/").removesuffix(".git"), place


def _api(kind: str, host: str, place: str) -> str:
    if kind == "gitlab":
        return place
    return "https://api.github.com" if host in {"github.com", "ssh.github.com"} else f"{place}/api/v3"


def _one_line(text: object, token: str) -> str:
    """What a forge said, in one line, without the token."""
    return " ".join(str(text).split()).replace(token, "…")[:300]
