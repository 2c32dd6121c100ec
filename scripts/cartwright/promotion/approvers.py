"""Who may approve which app: a file in the manner of CODEOWNERS, with its groups in it.

# Groups. A member is an address, or another group that stands above.
@release: platform-team@example.com

# Patterns of apps and their approvers: the last line that fits an app counts.
*                @release
data/*           @release dba@example.com
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cartwright.kernel.errors import UserError, nearest

__all__ = ["Roster", "address_of", "parse_roster"]

_GROUP = re.compile(r"(@[A-Za-z0-9][A-Za-z0-9_-]*)\s*:(?:\s+(.*))?")
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")


@dataclass(frozen=True)
class Roster:
    """A parsed file."""

    file: str
    lines: tuple[tuple[str, frozenset[str]], ...]
    """Pattern and addresses (lower case) of each line, in order."""
    groups: Mapping[str, frozenset[str]]
    """Addresses of each group, by ``@name``."""

    def approvers(self, app: str, *, group: str | None = None) -> frozenset[str]:
        """Addresses of those who may approve an app (``group/name``); nobody where no line fits it.

        Args:
            app: the app.
            group: only members of this group, whatever the lines say.

        Raises:
            UserError: there is no such group; the nearest is named.
        """
        if group is not None:
            if group not in self.groups:
                raise UserError(f"no group '{group}'", file=self.file, hint=nearest(group, self.groups))
            return self.groups[group]
        return next((who for pattern, who in reversed(self.lines) if fnmatchcase(app, pattern)), frozenset())


def parse_roster(text: str, file: str) -> Roster:
    """Read the file.

    Raises:
        UserError: a line that is none of the forms, or an unknown group: file and line.
    """
    groups: dict[str, frozenset[str]] = {}
    lines: list[tuple[str, frozenset[str]]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if not line:
            continue
        group = _GROUP.fullmatch(line)
        if group:
            if group[1] in groups:
                raise UserError(f"the group {group[1]} is already defined above", file=file, line=number)
            groups[group[1]] = _members((group[2] or "").split(), groups, file, number)
            continue
        pattern, *who = line.split()
        if pattern.startswith("@"):
            raise UserError(f"'{pattern}' is not a pattern", file=file, line=number, hint=f"a group is '{pattern}: …'")
        lines.append((pattern, _members(who, groups, file, number)))
    return Roster(file=file, lines=tuple(lines), groups=groups)


def _members(words: Iterable[str], groups: dict[str, frozenset[str]], file: str, number: int) -> frozenset[str]:
    found: set[str] = set()
    for word in words:
        name = word.strip(",")
        if name in groups:
            found |= groups[name]
        elif name.startswith("@"):
            raise UserError(f"no group '{name}'", file=file, line=number, hint=nearest(name, groups))
        elif _ADDRESS.fullmatch(name):
            found.add(name.lower())
        elif name:
            raise UserError(f"'{name}' is neither a group nor an address", file=file, line=number)
    return frozenset(found)


def address_of(who: str) -> str:
    """The address of ``Name <address>``, or of what an ``Approved-By`` trailer says, in lower case.

    >>> address_of("Platform Team <Platform-Team@example.com>")
    'platform-team@example.com'
    >>> address_of("platform-team@example.com (signed)")
    'platform-team@example.com'
    """
    return who.rpartition("<")[2].partition(" (")[0].rstrip("> ").strip().lower()
