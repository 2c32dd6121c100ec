"""A folder of the cache as one file, and back: the same content gives the same bytes, whoever packs it and when."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from cartwright.kernel.errors import ToolError

__all__ = ["pack", "unpack"]

_LARGEST = 2**30
"""Bytes that an archive may unpack to: the largest tool has a seventh of it."""


def pack(folder: Path, target: Path) -> None:
    """Write a folder's files into a gzipped tar archive. Names, contents and who may execute are all that is kept."""
    # A name and a time in gzip's header would differ from one packing to the next.
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = tarfile.TarInfo(file.relative_to(folder).as_posix())
            entry.size = file.stat().st_size
            entry.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            with file.open("rb") as stream:
                archive.addfile(entry, stream)


def unpack(archive: Path, folder: Path) -> None:
    """Write an archive's files below a folder that is empty or not there yet.

    Raises:
        ToolError: it is not such an archive, or it holds anything but plain files with names below the folder.
    """
    folder.mkdir(exist_ok=True)
    total = 0
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for entry in opened:
                name = PurePosixPath(entry.name)
                total += entry.size
                if not entry.isreg() or name.is_absolute() or ".." in name.parts or not name.parts:
                    raise ToolError(f"its archive holds '{entry.name}', which is not a plain file below its folder")
                if total > _LARGEST:
                    raise ToolError(f"its archive unpacks to more than {_LARGEST >> 20} MiB")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                source = opened.extractfile(entry)
                with target.open("xb") as file:
                    if source is not None:
                        shutil.copyfileobj(source, file, 1 << 20)
                target.chmod(0o755 if entry.mode & 0o100 else 0o644)
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, FileExistsError, NotADirectoryError) as error:
        raise ToolError(f"its archive can't be read: {error}") from error
