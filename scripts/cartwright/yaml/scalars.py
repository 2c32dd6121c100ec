"""Writing a string as a YAML scalar that every reader takes for that string."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

__all__ = ["needs_quotes", "scalar"]

_PLAIN = re.compile(r"[A-Za-z0-9_./][-A-Za-z0-9_./+=]*(?::[-A-Za-z0-9_./+=]+)*")
"""Strings without any character that means something to YAML, in block or flow style."""
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"})
_resolver: Any = yaml.SafeLoader("")


def needs_quotes(value: str) -> bool:
    """Whether some reader (YAML 1.1 or 1.2, PyYAML or Go's) takes the plain text for anything but that string.

    >>> [needs_quotes(tag) for tag in ("1.4.0", "1.10", "on", "0777", "2026-01-02", "1e3")]
    [False, True, True, True, True, True]
    """
    if not _PLAIN.fullmatch(value) or value.lower() in _WORDS or _DATE.match(value):
        return True
    if _is_number(value):
        return True
    return bool(_resolver.resolve(yaml.ScalarNode, value, (True, False)) != "tag:yaml.org,2002:str")


def scalar(value: str) -> str:
    """The string as a scalar: plain where that is safe, else in double quotes (JSON's escapes are YAML's)."""
    return json.dumps(value, ensure_ascii=False) if needs_quotes(value) else value


def _is_number(value: str) -> bool:
    """Wider than any one YAML version: Go's reader takes ``1e3``, ``0o17`` and ``1_0.5`` where PyYAML does not."""
    digits = value.replace("_", "").lower().lstrip("+-")
    try:
        float(digits)
    except ValueError:
        return bool(re.fullmatch(r"0[xob][0-9a-f]*|\.(?:inf|nan)|inf|0x[0-9a-f.]+p[+-]?\d+", digits))
    return True
