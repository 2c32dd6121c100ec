"""Version policies: which tags of an image are versions, and which of two is newer.

``semver:RANGE``     semantic versions in a range, as npm reads ranges; pre-releases where the range names one
``regex:PATTERN``    tags that the pattern fits as a whole, ordered by its named groups, numbers as numbers
``newest-build``     every image, ordered by when it was built
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError, nearest

__all__ = ["NEWEST_BUILD", "VersionPolicy", "natural", "parse_policy"]

NEWEST_BUILD = "newest-build"
_KINDS = ("semver:", "regex:", NEWEST_BUILD)


@dataclass(frozen=True)
class VersionPolicy:
    """A policy, and what it makes of a tag."""

    text: str
    """As it was given."""
    order: Callable[[str], Any]
    """What tags are compared by; None for a tag that is no version to this policy."""
    selects: Callable[[str], bool]
    """Whether a version may be chosen."""

    @property
    def by_build(self) -> bool:
        """Whether the time of the build orders images, and their tags only what was built at once."""
        return self.text == NEWEST_BUILD


def parse_policy(text: str) -> VersionPolicy:
    """Read a policy.

    Raises:
        UserError: it is none: says what is wrong with the range or the pattern.
    """
    kind, colon, rest = text.partition(":")
    if text == NEWEST_BUILD:
        return VersionPolicy(text, order=natural, selects=lambda _: True)
    if colon and kind == "semver":
        return _semver(text, rest.strip())
    if colon and kind == "regex":
        return _regex(text, rest)
    raise UserError(f"no version policy '{text}'", hint=nearest(kind + colon, _KINDS))


def natural(tag: str) -> tuple[str | int, ...]:
    """A tag as people order it: numbers by their value.

    >>> natural("build-9") < natural("build-10")
    True
    """
    # Text and numbers alternate, and text comes first: two keys never compare one with the other.
    return tuple(int(part) if number % 2 else part for number, part in enumerate(re.split(r"([0-9]+)", tag)))


def _semver(text: str, wanted: str) -> VersionPolicy:
    import nodesemver

    compared = functools.cmp_to_key(functools.partial(nodesemver.compare, loose=False))

    def version(tag: str) -> str | None:
        return nodesemver.valid(tag.removeprefix("v"), False)  # type: ignore[no-any-return]

    def order(tag: str) -> Any:
        found = version(tag)
        return compared(found) if found is not None else None

    try:
        nodesemver.make_range(wanted, loose=False)
    except ValueError:
        wanted = ""
    if not wanted:
        raise UserError(f"'{text}' is not a range of versions", hint="such as semver:^1.4, semver:1.x, semver:>=1.4 <3")
    return VersionPolicy(
        text, order=order, selects=lambda tag: bool(nodesemver.satisfies(version(tag), wanted, loose=False))
    )


def _regex(text: str, pattern: str) -> VersionPolicy:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"'{text}' is not a regular expression: {error}") from error
    if not pattern:
        raise UserError(f"'{text}' has no pattern", hint=r"such as 'regex:build-(?P<number>\d+)'")

    def order(tag: str) -> Any:
        found = compiled.fullmatch(tag)
        if found is None:
            return None
        return tuple(natural(group or "") for group in found.groupdict().values()) or (natural(tag),)

    return VersionPolicy(text, order=order, selects=lambda tag: compiled.fullmatch(tag) is not None)
