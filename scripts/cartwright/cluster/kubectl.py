"""kubectl as an administrator of one cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run

__all__ = ["Kubectl"]

_MANAGER = "cartwright"
"""Field manager of what `up` applies."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl, bound to one cluster."""

    binary: Path
    """The pinned kubectl."""
    kubeconfig: Path
    """Whose cluster, and as whom."""

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run kubectl and return what it printed.

        Raises:
            ToolError: it failed; the message ends with what it said.
        """
        return run([self.binary, f"--kubeconfig={self.kubeconfig}", *arguments], stdin=stdin, timeout=timeout).stdout

    def is_ready(self) -> bool:
        """Whether the API server answers and says that it is ready."""
        try:
            return self("get", "--raw=/readyz", "--request-timeout=5s", timeout=15).strip() == "ok"
        except ToolError:
            return False

    def get(self, *arguments: str) -> dict[str, Any] | None:
        """An object, or a list of objects; None where there is none (or its kind is not known yet)."""
        try:
            text = self("get", "-o=json", "--ignore-not-found", *arguments)
        except ToolError as error:
            if "the server doesn't have a resource type" in str(error):
                return None
            raise
        return json.loads(text) if text else None

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a list, none where their kind is not known yet."""
        found = self.get(*arguments)
        return list(found["items"]) if found else []

    def apply(self, objects: Sequence[Mapping[str, Any]] | str) -> None:
        """Apply objects (or YAML) on the server's side, as the owner of every field they name.

        Raises:
            ToolError: the server refuses one.
        """
        text = (
            objects
            if isinstance(objects, str)
            else json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        )
        self(
            "apply",
            "--server-side",
            "--force-conflicts",
            f"--field-manager={_MANAGER}",
            "--filename=-",
            stdin=text,
            timeout=120,
        )
