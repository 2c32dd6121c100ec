"""Validating our own YAML files against their JSON Schemas, with messages that name line and nearest key."""

from __future__ import annotations

import json
from typing import Any

from cartwright.kernel import memo
from cartwright.kernel.errors import UserError, nearest
from cartwright.yaml.read import line_of, load, nodes

__all__ = ["load_valid"]

_KIND = "valid"
"""Kind of the cached verdicts: that a text fits a schema, by the hash of both."""


def load_valid(text: str, file: str, schema: dict[str, Any]) -> Any:
    """The document of a YAML file that fits its schema.

    Raises:
        UserError: not YAML, or it doesn't fit: names the line, what is wrong, and the nearest known key for a typo.
    """
    data = load(text, file)
    # Importing jsonschema takes longer than the rest of a short command, and most files were valid the last time.
    key = memo.digest([json.dumps(schema, sort_keys=True), text])
    if memo.load(_KIND, key) is True:
        return data
    import jsonschema

    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(data))
    if not errors:
        memo.store(_KIND, key, True)
        return data
    # A misspelt key is the cause where the right one is then said to be missing.
    unknown_keys = [error for error in errors if error.validator == "additionalProperties"]
    error = unknown_keys[0] if unknown_keys else jsonschema.exceptions.best_match(errors)
    place: list[str | int] = [part if isinstance(part, int) else str(part) for part in error.absolute_path]
    message, hint = error.message, None
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        place.append(str(unknown))
        message, hint = f"unknown key '{unknown}'", nearest(str(unknown), known)
    root = next(nodes(text, file), None)
    line = line_of(root, place)[0] if root is not None else 1
    where = ".".join(str(part) for part in place[: -1 if hint else None])
    raise UserError(f"{where + ': ' if where else ''}{message}", file=file, line=line, hint=hint)
