"""Tools that are Python packages with needs of their own: each in an environment of its own, made from its lock file.

``tools/<name>/requirements.lock`` pins them with hashes, as `make lock` writes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from pathlib import Path

from cartwright.kernel.errors import ToolError, nearest
from cartwright.kernel.paths import cache_root
from cartwright.kernel.run import run
from cartwright.tools._cache import say
from cartwright.tools._catalogue import tools_folder

__all__ = ["python_tools", "require_python"]

_LIMIT_SECONDS = 900.0


def python_tools() -> tuple[str, ...]:
    """Names of the tools that are Python packages: the folders below ``tools`` that hold a requirements.lock."""
    return tuple(sorted(file.parent.name for file in tools_folder().glob("*/requirements.lock")))


def require_python(name: str) -> Path:
    """The program of that name, its environment made if it is missing.

    Raises:
        ToolError: no such tool, or its packages can't be installed.
    """
    if name not in python_tools():
        raise ToolError(f"no Python tool '{name}' ({nearest(name, python_tools())})")
    lock = tools_folder() / name / "requirements.lock"
    major, minor = sys.version_info[:2]
    key = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    home = cache_root() / name / f"python{major}.{minor}-{key}"
    program = home / "bin" / name
    # The marker and not the program says that it is whole: an installation may be cut short.
    marker = home / ".complete"
    if not marker.is_file():
        home.parent.mkdir(parents=True, exist_ok=True)
        with (home.parent / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not marker.is_file():
                _install(lock, home)
                marker.touch()
    return program


def _install(lock: Path, home: Path) -> None:
    say(f"{home.parent.name} for Python …")
    shutil.rmtree(home, ignore_errors=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else "uv"
    run([uv, "venv", "--quiet", "--python", sys.executable, home], timeout=_LIMIT_SECONDS)
    python = home / "bin" / "python"
    locked: list[str | Path] = ["--require-hashes", "--requirement", lock]
    run([uv, "pip", "install", "--quiet", "--python", python, *locked], timeout=_LIMIT_SECONDS)
