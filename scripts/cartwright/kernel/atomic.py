"""Files and folders that are there whole or not at all: made beside their place, then renamed into it.

A killed process leaves at most what its name marks as unfinished: a dot before it and ``.new`` behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["fill_folder", "put_folder", "side_file", "write_all", "write_bytes", "write_text"]


def write_text(file: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a text as UTF-8, its line ends as they are. Arguments and errors are those of `write_bytes`."""
    write_bytes(file, text.encode(), mode=mode)


def write_bytes(file: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file in one step: who reads it sees the old content or the new.

    Args:
        file: in a folder that is there.
        content: all of it.
        mode: permissions, less what the umask takes away.

    Raises:
        OSError: it can't be written; the old file is as it was.
    """
    with side_file(file, mode=mode) as side:
        side.write_bytes(content)


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files: none is put in place before all are written. Missing folders are made.

    A file that is there keeps its permissions.

    Raises:
        OSError: one can't be written, or a folder stands in its place; no file has changed then.
    """
    with contextlib.ExitStack() as stack:
        written = []
        for file, content in contents.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
            side = _make_side(file, file.stat().st_mode & 0o777 if file.is_file() else 0o666)
            stack.callback(_forget, side)
            side.write_bytes(content)
            written.append((side, file))
        for side, file in written:
            side.replace(file)


@contextmanager
def side_file(file: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """An empty file beside ``file``, for a program to write: put in its place at the end, removed after an error.

    Raises:
        OSError: it can't be made or renamed.
    """
    side = _make_side(file, mode)
    try:
        yield side
        side.replace(file)
    finally:
        _forget(side)


@contextmanager
def fill_folder(home: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes ``home``. Who loses a race takes the winner's: both hold the same.

    Missing parents of ``home`` are made.

    Raises:
        OSError: it can't be made or renamed.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-", suffix=".new", dir=home.parent) as side:
        folder = Path(side) / "folder"
        folder.mkdir()
        yield folder
        try:
            folder.rename(home)
        except OSError:
            # A folder that holds something can't be replaced: ENOTEMPTY, and EEXIST on some systems.
            if not home.is_dir():
                raise


def put_folder(folder: Path, home: Path) -> None:
    """Put a folder in the place of another, which is removed. Both lie on one disk.

    Raises:
        OSError: it can't be renamed, or something else was put in that place meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-", suffix=".new", dir=home.parent) as side:
        with contextlib.suppress(FileNotFoundError):
            home.rename(Path(side) / "old")
        folder.rename(home)


def _make_side(file: Path, mode: int) -> Path:
    side = file.with_name(f".{file.name}.{secrets.token_hex(8)}.new")
    os.close(os.open(side, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    return side


def _forget(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
