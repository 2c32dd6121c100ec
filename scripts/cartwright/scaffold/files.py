"""Writing a scaffold: all is made in a side folder first, then moved into place; a failure takes it back."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import UserError
from cartwright.kernel.run import run

__all__ = ["Scaffold", "write_scaffold"]


@dataclass(frozen=True)
class Scaffold:
    """All that a new service or environment adds and changes."""

    folders: tuple[str, ...]
    """New folders, and new files in folders that exist; none of them exists yet."""
    created: Mapping[str, str | bytes]
    """Path and content of each new file."""
    edited: Mapping[str, str]
    """Path and new content of files that exist."""
    executable: frozenset[str] = frozenset()
    """The new files that are programs."""

    @property
    def apps(self) -> tuple[str, ...]:
        """Every app (``group/name``) whose base it makes or changes: they are promoted together."""
        bases = (path.split("/") for path in (*self.created, *self.edited) if path.startswith("apps/"))
        return tuple(dict.fromkeys(f"{parts[1]}/{parts[2]}" for parts in bases if len(parts) > 3))


def write_scaffold(root: Path, scaffold: Scaffold) -> None:
    """Write all of it, or nothing.

    Raises:
        UserError: the disk or its permissions do not let us; the repository is as it was.
    """
    moved: list[Path] = []
    replaced: dict[Path, bytes] = {}
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as folder:
            stage = Path(folder)
            for path, text in {**scaffold.created, **scaffold.edited}.items():
                _write(stage / path, text, is_program=path in scaffold.executable)
            _format(root, stage)
            for path in scaffold.folders:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                moved.append(root / path)
                (stage / path).rename(root / path)
            for path in scaffold.edited:
                replaced[root / path] = (root / path).read_bytes()
                (stage / path).replace(root / path)
    except BaseException as error:
        _take_back(moved, replaced)
        if isinstance(error, OSError):
            raise UserError(error.strerror or str(error), file=error.filename, hint="nothing was written") from error
        raise


def _write(file: Path, content: str | bytes, *, is_program: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    if is_program:
        file.chmod(0o755)


def _format(root: Path, stage: Path) -> None:
    """Give new code the repository's form: the order of imports and the wrapping of lines depend on the name."""
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.is_file() or not (stage / "services").is_dir():
        return
    for name in ("pyproject.toml", "services/ruff.toml"):
        if (root / name).is_file():
            (stage / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(root / name, stage / name)
    # Only so that its package is known as one of ours, and its imports stand among them.
    (stage / "services" / "kit").symlink_to(root / "services" / "kit")
    targets = [folder for folder in (stage / "services").iterdir() if folder.is_dir() and not folder.is_symlink()]
    run([ruff, "check", "--quiet", "--no-cache", "--fix", "--select", "I", *targets], cwd=stage)
    run([ruff, "format", "--quiet", "--no-cache", *targets], cwd=stage)


def _take_back(moved: list[Path], replaced: Mapping[Path, bytes]) -> None:
    for path in moved:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    for file, content in replaced.items():
        with contextlib.suppress(OSError):
            file.write_bytes(content)
