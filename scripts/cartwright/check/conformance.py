"""Objects against the API's schemas, by kubeconform, offline."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import SHORT_LIVED, run
from cartwright.policy.schemas import schema_location
from cartwright.tools import require

__all__ = ["SchemaProblem", "check_schemas"]

_DETAIL = re.compile(r"at '(?P<path>[^']*)': (?P<message>.*?)(?=\s+- at '|$)")


@dataclass(frozen=True)
class SchemaProblem:
    """One way in which an object does not fit its schema."""

    kind: str
    name: str
    api_version: str
    field: tuple[str, ...]
    """Path to the field; list positions are digits."""
    message: str

    @property
    def place(self) -> tuple[str, ...]:
        """Path to what is at fault: for an unknown field that field itself, not the object that has it."""
        unknown = self.message.startswith("additional properties ")
        return (*self.field, self.message.split("'")[1]) if unknown else self.field


def check_schemas(files: Sequence[Path]) -> dict[Path, tuple[SchemaProblem, ...]]:
    """Problems of every object in YAML or JSON files, by file. One process reads them all, so that each schema is
    compiled once.

    Raises:
        ToolError: kubeconform failed.
    """
    if not files:
        return {}
    # Files are named on the command line in slices: its length has a limit.
    found: dict[Path, list[SchemaProblem]] = defaultdict(list)
    kubeconform = require(["kubeconform"])["kubeconform"]
    for start in range(0, len(files), 500):
        done = run(
            [kubeconform, "-strict", "-output", "json", "-schema-location", schema_location(), *files[start:][:500]],
            accept=(0, 1),
            env=SHORT_LIVED,
        )
        try:
            results = json.loads(done.stdout).get("resources") or ()
        except ValueError as error:
            raise ToolError(f"kubeconform: {done.stderr.strip() or done.stdout.strip()}") from error
        for result in results:
            for path, message in _details(str(result["msg"])):
                found[Path(result["filename"])].append(
                    SchemaProblem(
                        kind=result.get("kind", ""),
                        name=result.get("name", ""),
                        api_version=result.get("version", ""),
                        field=tuple(path.strip("/").split("/")) if path.strip("/") else (),
                        message=message,
                    )
                )
    return {file: tuple(dict.fromkeys(problems)) for file, problems in found.items()}


def _details(message: str) -> list[tuple[str, str]]:
    """Path and message of each leaf of kubeconform's nested message."""
    found = [(match["path"], match["message"].strip()) for match in _DETAIL.finditer(" ".join(message.split()))]
    leaves = [(path, text) for path, text in found if not text.startswith(("validation failed", "'anyOf' failed"))]
    return leaves or [("", message)]
