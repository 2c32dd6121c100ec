"""Cut the part of ``requirements.lock`` that one service needs, hashes included."""

from __future__ import annotations

import platform
import re
import tomllib
from pathlib import Path

from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.run import run

__all__ = ["PYTHON", "direct_requirements", "locked_requirements", "python_platform"]

PYTHON = "3.11"
"""Of every base."""
_OWN = re.compile(r"cartwright-([a-z0-9-]+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def direct_requirements(root: Path, package: str) -> list[str]:
    """What a package of ``services/`` and the packages of this repository below it ask of others, sorted.

    Raises UserError if the package is not there.
    """
    found: set[str] = set()
    todo, seen = [package], {package}
    while todo:
        file = root / "services" / todo.pop() / "pyproject.toml"
        if not file.is_file():
            raise UserError("not found", file=file.relative_to(root))
        for requirement in tomllib.loads(file.read_text())["project"].get("dependencies", []):
            own = _OWN.fullmatch(requirement.strip())
            if own is None:
                found.add(requirement)
            elif own[1] not in seen:
                seen.add(own[1])
                todo.append(own[1])
    return sorted(found)


def locked_requirements(root: Path, package: str, *, uv: Path) -> str:
    """The entries of the lock that the package needs, its dependencies' dependencies included, as they stand there.

    Raises ToolError if the lock does not satisfy the package.
    """
    lock = root / "requirements.lock"
    resolved = run(
        [
            uv,
            *("pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"),
            *("--python-version", PYTHON, "--python-platform", python_platform(platform.machine())),
            *("--constraints", lock),
        ],
        cwd=root,
        stdin="\n".join(direct_requirements(root, package)),
    ).stdout
    wanted = {_canonical(line) for line in resolved.splitlines() if line and not line[0].isspace()}
    entries = re.findall(r"^[A-Za-z0-9][^\n]*(?:\n[ \t][^\n]*)*", lock.read_text(), flags=re.MULTILINE)
    chosen = [entry for entry in entries if _canonical(entry) in wanted]
    missing = wanted - {_canonical(entry) for entry in chosen}
    if missing:
        raise UserError(f"does not list {', '.join(sorted(missing))}", file="requirements.lock", hint="make lock")
    return "\n".join(chosen) + "\n"


def python_platform(machine: str) -> str:
    """What uv calls a machine with glibc 2.36, which is that of Debian 12.

    >>> python_platform("x86_64")
    'x86_64-manylinux_2_36'

    Raises:
        ToolError: images are not built for such machines.
    """
    names = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
    if machine not in names:
        raise ToolError(f"images are built on amd64 and arm64, not on {machine}")
    return f"{names[machine]}-manylinux_2_36"


def _canonical(line: str) -> str:
    name = _NAME.match(line)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else ""
