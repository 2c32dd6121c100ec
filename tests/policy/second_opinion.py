"""checkov over everything that is rendered: another suite's opinion, less what the shop does otherwise on purpose.

``policies/checkov.yaml`` names each such check with its reason. Our own rules judge; this finds what they may lack.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.yaml.read import line_of, nodes
from cartwright.yaml.validate import load_valid

__all__ = ["BASELINE", "Opinion", "Skip", "ask", "load_skips"]

BASELINE = "policies/checkov.yaml"

_SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["check", "objects", "reason"],
        "properties": {
            "check": {"type": "string", "pattern": "^CKV2?_K8S_[0-9]+$"},
            "objects": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
            "reason": {"type": "string", "minLength": 20},
        },
    },
}


@dataclass(frozen=True)
class Skip:
    """One check that some objects do not follow."""

    check: str
    objects: tuple[str, ...]
    """Patterns of ``Kind.namespace.name``."""
    reason: str
    line: int


@dataclass(frozen=True)
class Opinion:
    """What checkov said."""

    judged: int
    """Objects that it read."""
    passed: int
    """Checks that passed."""
    findings: tuple[str, ...]
    """Failed checks that no entry of the baseline explains, as ``id object: title``."""
    unused: tuple[str, ...]
    """Patterns of the baseline that no failed check needs, as ``file:line: check pattern``."""


def load_skips(root: Path) -> tuple[Skip, ...]:
    """The baseline.

    Raises:
        UserError: it does not fit its schema: file and line.
    """
    text = (root / BASELINE).read_text(encoding="utf-8")
    tree = next(nodes(text, BASELINE))
    return tuple(
        Skip(entry["check"], tuple(entry["objects"]), entry["reason"], line_of(tree, [number])[0])
        for number, entry in enumerate(load_valid(text, BASELINE, dict(_SCHEMA)))
    )


def ask(checkov: Path, objects: Mapping[str, Sequence[Mapping[str, Any]]], skips: Sequence[Skip]) -> Opinion:
    """Ask checkov about objects.

    Args:
        checkov: the program.
        objects: by a name of their own, such as the Application's.
        skips: the baseline.

    Raises:
        ToolError: checkov failed, or read no object.
    """
    with tempfile.TemporaryDirectory(prefix="cartwright-checkov-") as folder:
        for name, contents in objects.items():
            listed = {"apiVersion": "v1", "kind": "List", "items": list(contents)}
            Path(folder, f"{name}.json").write_text(json.dumps(listed), encoding="utf-8")
        report = _run(checkov, folder)
    summary = report["summary"]
    if not summary["resource_count"] or summary["parsing_errors"]:
        raise ToolError(
            f"checkov read {summary['resource_count']} objects, {summary['parsing_errors']} files not at all"
        )
    findings, used = set(), set()
    for failed in report["results"]["failed_checks"]:
        fitting = [
            (skip, pattern)
            for skip in skips
            if skip.check == failed["check_id"]
            for pattern in skip.objects
            if fnmatchcase(failed["resource"], pattern)
        ]
        used.update(fitting)
        if not fitting:
            findings.add(f"{failed['check_id']} {failed['resource']}: {failed['check_name']}")
    unused = [
        f"{BASELINE}:{skip.line}: {skip.check} {pattern}"
        for skip in skips
        for pattern in skip.objects
        if (skip, pattern) not in used
    ]
    return Opinion(summary["resource_count"], summary["passed"], tuple(sorted(findings)), tuple(unused))


def _run(checkov: Path, folder: str) -> dict[str, Any]:
    options = ["--framework", "kubernetes", "--skip-download", "--compact", "--quiet", "--output", "json"]
    # Findings end it with code 1.
    done = run([checkov, "--directory", folder, *options], accept=(0, 1))
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise ToolError(f"checkov: {(done.stderr or done.stdout).strip()[-300:]}") from error
    # Where it read nothing, the report is the bare summary.
    return report if "summary" in report else {"summary": report, "results": {"failed_checks": []}}
