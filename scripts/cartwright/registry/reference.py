"""References to images as people and manifests write them: ``host:port/repository:tag@digest``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cartwright.kernel.errors import UserError

__all__ = ["DIGEST", "LATEST", "Reference", "parse_reference", "require_version", "split_reference"]

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?")
_DEFAULT_HOST = "docker.io"

LATEST = "latest"
"""The tag that registries take for a missing one. It names no version."""


@dataclass(frozen=True)
class Reference:
    """An image by its place in a registry."""

    name: str
    """Host and repository as they were written, without tag and digest: what a kustomization calls the image."""
    tag: str | None = None
    digest: str | None = None
    """``sha256:`` and 64 hexadecimal digits."""

    @property
    def host(self) -> str:
        """The registry, with its port where one was given; ``docker.io`` where none was."""
        return self._parts[0]

    @property
    def repository(self) -> str:
        """The path in the registry, ``library/`` included where Docker Hub means it."""
        host, path = self._parts
        return f"library/{path}" if host == _DEFAULT_HOST and "/" not in path else path

    @property
    def _parts(self) -> tuple[str, str]:
        """Host and path as they were written."""
        first, _, path = self.name.partition("/")
        if path and (first == "localhost" or "." in first or ":" in first):
            return first, path
        return _DEFAULT_HOST, self.name

    @property
    def short_digest(self) -> str:
        """So much of the digest as tells two images apart for a person, its algorithm included."""
        return (self.digest or "")[:19]

    @property
    def api_host(self) -> str:
        """Where the registry's API answers: Docker Hub's is elsewhere than its name says."""
        return "registry-1.docker.io" if self.host == _DEFAULT_HOST else self.host

    @property
    def is_loopback(self) -> bool:
        """Whether the registry runs on this machine, the only place where plain HTTP is accepted."""
        return _LOOPBACK.fullmatch(self.host) is not None

    def __str__(self) -> str:
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read a reference.

    >>> parse_reference("localhost:5000/shop/orders:1.2").host
    'localhost:5000'
    >>> parse_reference("redis:7.4").repository
    'library/redis'

    Raises:
        UserError: it is none: says which part is not as it must be.
    """
    found = split_reference(text)
    if found.digest is not None and not DIGEST.fullmatch(found.digest):
        raise UserError(f"image '{text}': the digest is not sha256: and 64 hexadecimal digits")
    if found.tag is not None and not _TAG.fullmatch(found.tag):
        raise UserError(f"image '{text}': the tag is not 1 to 128 letters, digits, '_', '.' and '-'")
    host, path = found._parts
    if not _HOST.fullmatch(host):
        raise UserError(f"image '{text}': '{host}' is not a host")
    if not _PATH.fullmatch(path):
        hint = "host/path:tag, the path in lower case" if path else "host/path:tag"
        raise UserError(f"image '{text}': '{path}' is not a repository", hint=hint)
    return found


def require_version(image: Reference) -> None:
    """Prove that a reference's tag can name a version.

    Raises:
        UserError: it has no tag, or ``latest``.
    """
    hint = "people read the tag: REPO:TAG, or REPO:TAG@DIGEST"
    if image.tag is None:
        raise UserError(f"image '{image}' has no tag", hint=hint)
    if image.tag == LATEST:
        raise UserError(f"image '{image}' is tagged {LATEST}, which names no version", hint=hint)


def split_reference(text: str) -> Reference:
    """Take a reference apart, whatever its parts are: an object that runs names one that its registry took.

    >>> split_reference("localhost:5000/shop/orders:1.2@sha256:ab")
    Reference(name='localhost:5000/shop/orders', tag='1.2', digest='sha256:ab')
    """
    rest, at, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    return Reference(name=f"{head}{slash}{last}", tag=tag if colon else None, digest=digest if at else None)
