"""``--format``, as the commands have it that write text for people or JSON for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.kernel.errors import UserError, nearest

__all__ = ["TEXT", "Format", "known"]

TEXT = "text"
_FORMATS = (TEXT, "json")


def known(output: str) -> str:
    """The format, proved to be one of ours.

    Raises:
        UserError: it is not; the nearest is named.
    """
    if output not in _FORMATS:
        raise UserError(f"no format '{output}'", hint=nearest(output, _FORMATS))
    return output


Format = Annotated[str, typer.Option("--format", help="text or json.", callback=known)]
