"""A ``git`` for PATH that misbehaves at one step: it kills the program that called it, or its connection is lost.

The wrapper reads from its environment at which subcommand, at which call of it, and whether before or after its work.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["faulty"]

_SCRIPT = """\
#!/bin/sh
# Words before the subcommand (-c name=value) are passed over.
step=
skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$word" in -c) skip=yes ;; -*) ;; *) step="$word"; break ;; esac
done
if [ "$step" != "$FAULT_STEP" ] || [ -e "$FAULT_MARK" ]; then exec "$REAL_GIT" "$@"; fi
echo "$step" >> "$FAULT_COUNT"
if [ "$(wc -l < "$FAULT_COUNT")" -ne "$FAULT_CALL" ]; then exec "$REAL_GIT" "$@"; fi
echo killed > "$FAULT_MARK"
if [ "$FAULT_MOMENT" = after ]; then "$REAL_GIT" "$@" > /dev/null 2>&1; fi
if [ "$FAULT" = kill ]; then kill -9 "$PPID"; fi
echo "fatal: the remote end hung up unexpectedly" >&2
exit 128
"""


def faulty(folder: Path, step: str, moment: str, *, fault: str = "kill", call: int = 1) -> dict[str, str]:
    """Variables that put the wrapper first on PATH. It misbehaves once; later calls are those of plain git.

    Args:
        step: the subcommand: ``push``.
        moment: ``before`` it does its work, or ``after``.
        fault: ``kill``, or ``hangup``.
        call: at which call of the subcommand, from 1.
    """
    folder.mkdir()
    wrapper = folder / "git"
    wrapper.write_text(_SCRIPT)
    wrapper.chmod(0o755)
    real = shutil.which("git")
    assert real is not None
    return {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "REAL_GIT": real,
        "FAULT": fault,
        "FAULT_STEP": step,
        "FAULT_CALL": str(call),
        "FAULT_MOMENT": moment,
        "FAULT_MARK": str(folder / "happened"),
        "FAULT_COUNT": str(folder / "count"),
    }
