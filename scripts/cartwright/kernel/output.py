"""Where output goes: results to standard output, all else to standard error, so that output can be piped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["count", "show", "stderr", "stdout", "write"]

_PIPE_COLUMNS = 200


def count(number: int, noun: str) -> str:
    """A number of things for people.

    >>> count(1, "app"), count(2, "app")
    ('1 app', '2 apps')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


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


def show(text: Text) -> None:
    """Print text for people, with its colours on a terminal. A pipe gets it plain, without waiting for a console."""
    import os
    import sys

    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        stdout().print(text)
    else:
        sys.stdout.write(f"{text.plain}\n")


def write(text: str) -> None:
    """Write a result as it is: no wrapping and no markup, with one newline at its end."""
    import sys

    sys.stdout.write(text if text.endswith("\n") else text + "\n")
