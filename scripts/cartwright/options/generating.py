"""What the commands do that generate files: write those that are not current, or name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer

from cartwright.kernel.generated import stale, write_all
from cartwright.kernel.output import write

__all__ = ["write_generated"]


def write_generated(root: Path, wanted: Mapping[str, str], *, check: bool, what: str, source: str, again: str) -> None:
    """Write the files that differ from what is wanted; with ``check`` name them, and end with 1 where there are some.

    Args:
        what: what people call the files.
        source: what they are made of.
        again: the command that makes them.

    Raises:
        UserError: a file can't be written; none has changed then.
    """
    outdated = stale(root, wanted)
    if not check:
        write_all(root, wanted, outdated)
    for path in outdated:
        write(f"{path}: is not what {source} (run `{again}`)" if check else f"wrote {path}")
    if check and outdated:
        raise typer.Exit(1)
    write(f"{len(wanted)} {what} are current" if check else f"{len(wanted)} {what}, {len(outdated)} written")
