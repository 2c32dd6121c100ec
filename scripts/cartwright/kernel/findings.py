"""What a check found: findings, and how much was looked at to find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cartwright.kernel.identity import Identity

__all__ = ["CheckReport", "Coverage", "Finding"]


_NOTHING = Identity()


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, at the place in the source that caused it."""

    file: str
    """Path of the source, relative to the repository."""
    line: int
    """One-based."""
    rule: str
    """Id of the policy, or of one of the checks that are not policies: see ``docs/check.md``."""
    severity: str
    """``error`` blocks, ``warning`` reports."""
    message: str
    resource: Identity = _NOTHING

    def as_json(self) -> dict[str, Any]:
        """The finding in the form of report version 1."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "resource": {
                "apiVersion": self.resource.api_version,
                "kind": self.resource.kind,
                "namespace": self.resource.namespace,
                "name": self.resource.name,
            },
            "file": self.file,
            "line": self.line,
        }


@dataclass(frozen=True)
class Coverage:
    """How much a check looked at. Zero of anything is a failure, not a pass."""

    environments: int = 0
    overlays: int = 0
    """Applications that were rendered, or taken from the cache as unchanged."""
    files: int = 0
    """Source files that were read."""
    objects: int = 0
    """Rendered objects that were judged, over all environments."""
    rules: int = 0
    """Policies that were asked."""


@dataclass(frozen=True)
class CheckReport:
    """The outcome of a check."""

    coverage: Coverage
    findings: tuple[Finding, ...]
    """Sorted by file and line; one that several environments share is there once."""
    lasting: bool = True
    """Whether the same files give the same report: not where a build read anything else, or failed."""

    @property
    def errors(self) -> int:
        """How many findings block."""
        return sum(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report in the form of version 1, see ``docs/check.md``."""
        return {
            "version": 1,
            "evaluated": {
                "files": self.coverage.files,
                "objects": self.coverage.objects,
                "rules": self.coverage.rules,
            },
            "findings": [finding.as_json() for finding in self.findings],
        }

    def to_cache(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {"coverage": asdict(self.coverage), "findings": [asdict(finding) for finding in self.findings]}

    @classmethod
    def from_cache(cls, data: Mapping[str, Any]) -> CheckReport:
        """The report that `to_cache` wrote."""
        return cls(Coverage(**data["coverage"]), findings_from_cache(data["findings"]))


def findings_from_cache(data: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Findings from their plain form (``dataclasses.asdict``)."""
    return tuple(Finding(**{**entry, "resource": Identity(**entry["resource"])}) for entry in data)
