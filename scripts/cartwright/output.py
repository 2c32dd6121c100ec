"""Where output goes: results to standard output, all else to standard error, so that output can be piped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["stderr", "stdout", "write"]

_PIPE_COLUMNS = 200


@cache
def stdout() -> Console:
    """The console for results: tables and text for people.

    In a pipe or a CI log there is no terminal whose width could be asked: tables get room, so that no cell is cut.
    """
    import sys

    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


@cache
def stderr() -> Console:
    """The console for progress, warnings and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def write(text: str) -> None:
    """Write a result as it is: no wrapping and no markup, with one newline at its end."""
    import sys

    sys.stdout.write(text if text.endswith("\n") else text + "\n")
