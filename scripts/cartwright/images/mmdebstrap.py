"""Root file systems of Debian's packages, equal for equal packages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.tools.packages import require_programs

__all__ = ["EPOCH", "LEFT_OUT", "REMOVED", "SUITE", "make_root"]

SUITE = "bookworm"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")
REMOVED = (
    "/var/lib/apt/lists",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/log",
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/resolv.conf",
)
EPOCH = 1767225600
"""Time of every file, in seconds since 1970: one fixed moment, so that equal content is an equal layer."""


def make_root(
    archive: Path, packages: Sequence[str], *, why: str, hooks: Iterable[str] = (), unpacked: bool = False
) -> None:
    """Write a root file system as a tar archive.

    Args:
        archive: the file to write.
        packages: what it holds besides the essential packages.
        why: what it is for, in words for a person who may not make it.
        hooks: shell commands to run when all is installed; ``$1`` is the root's folder.
        unpacked: no essential packages, nothing configured and nothing left out: files to choose from.

    Raises:
        ToolError: without root, or mmdebstrap is missing or fails.
    """
    require_programs("mmdebstrap")
    if os.geteuid() != 0:
        raise ToolError(f"mmdebstrap: {why} needs root")
    trimming = [
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        *(f'--customize-hook=rm -rf "$1{path}"' for path in REMOVED),
    ]
    run(
        [
            "mmdebstrap",
            "--quiet",
            f"--variant={'extract' if unpacked else 'minbase'}",
            f"--include={','.join(packages)}",
            *([] if unpacked else trimming),
            *(f"--customize-hook={hook}" for hook in hooks),
            SUITE,
            archive,
        ],
        env={"SOURCE_DATE_EPOCH": str(EPOCH)},
        timeout=900,
    )
