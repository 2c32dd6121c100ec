"""The templates that scaffolds are filled from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["TEMPLATES", "fill"]

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def _engine() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is code and no HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def fill(template: str, words: Mapping[str, Any]) -> str:
    """The text of a template, named by its path below the folder of templates."""
    return str(_engine().get_template(template).render(words))
