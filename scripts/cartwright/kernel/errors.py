"""Every error that Cartwright raises on purpose.

CartwrightError            something went wrong that a message explains (exit code 2)
├── UserError              input that a person can correct: names file, line and what to do
├── Blocked                asked well, and can't happen now (exit code 1)
├── ToolError              a program that we started failed, or ran out of time
└── ClusterError           the embedded cluster is not there, or did not get there

Only ``cartwright.cli.main`` catches the base class, so no traceback reaches a user
and none is lost with ``CARTWRIGHT_DEBUG=1``.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Blocked", "CartwrightError", "ClusterError", "ToolError", "UserError", "error_json", "nearest"]


class CartwrightError(Exception):
    """A failure whose message is fit for a user. Ends the command with ``exit_code``."""

    exit_code = 2
    file: str | None = None
    line: int | None = None
    hint: str | None = None


class UserError(CartwrightError):
    """Input that a person can correct.

    Args:
        message: what is wrong, in one line.
        file: where it is wrong; printed as given, so pass a path relative to the repository.
        line: one-based line in ``file``.
        hint: what to do about it, in one line.
    """

    def __init__(
        self, message: str, *, file: Path | str | None = None, line: int | None = None, hint: str | None = None
    ) -> None:
        self.message = message
        self.file = str(file) if file is not None else None
        self.line = line
        self.hint = hint
        place = f"{self.file}:{line}: " if file is not None and line is not None else f"{file}: " if file else ""
        super().__init__(f"{place}{message}{f' ({hint})' if hint else ''}")


class Blocked(CartwrightError):
    """What was asked for is well-formed and can't happen now; the message says why."""

    exit_code = 1


class ToolError(CartwrightError):
    """A program that we started failed: its name, how it ended, and the last lines it wrote."""


class ClusterError(CartwrightError):
    """The embedded cluster is not running, or did not reach the state that was waited for."""


def error_json(error: BaseException, *, message: str | None = None, exit_code: int = 2) -> str:
    """An error as one JSON object: ``{"error": {"message", "where", "hint", "exitCode"}}``.

    ``where`` is ``file:line`` or ``file``, and null where no file is at fault.

    Args:
        error: what ended the command.
        message: what to say of an error that is none of ours.
        exit_code: how the command ends with such an error.
    """
    where = hint = None
    if isinstance(error, CartwrightError):
        message = message or getattr(error, "message", str(error))
        hint, exit_code = error.hint, error.exit_code
        where = f"{error.file}:{error.line}" if error.file and error.line else error.file
    told = {"message": message or str(error), "where": where, "hint": hint, "exitCode": exit_code}
    return json.dumps({"error": told}, indent=2, ensure_ascii=False)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest of ``known``, or lists them all where none is close.

    >>> nearest("catalgo", ["catalog", "orders"])
    "did you mean 'catalog'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names)}" if names else "there is none"
