"""Judging YAML files as they are, without Argo CD or kustomize: ``cartwright check --manifests``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cartwright.errors import UserError
from cartwright.findings import CheckReport, Coverage, Finding, ResourceRef
from cartwright.policy.documents import Document, read_documents
from cartwright.policy.engine import evaluate_documents
from cartwright.repository import Tree
from cartwright.schema_check import check_schemas
from cartwright.tools import require
from cartwright.yamlfile import line_of, nodes

__all__ = ["check_manifests"]


def check_manifests(tree: Tree, paths: Sequence[Path], *, isolate: bool = False, pss: str | None = None) -> CheckReport:
    """Validate and judge every object of YAML files and folders.

    Args:
        tree: where the policies are.
        paths: files, and folders whose ``.yaml``, ``.yml`` and ``.json`` files are taken.
        isolate: judge each file on its own; else objects of all files see each other.
        pss: judge pods as if their namespace enforced this Pod Security level.

    Raises:
        UserError: no such path, no object in any of them, or a file that is no YAML.
    """
    files = list(_files(paths))
    documents = read_documents(files)
    if not documents:
        raise UserError("holds no Kubernetes object", file=paths[0])
    policies = tree.root / "policies"
    evaluation = evaluate_documents(
        documents, {}, require(["conftest"])["conftest"], policies=policies, isolate=isolate, pss=pss
    )
    lines = _Lines()
    by_place = {(document.path, document.index, document.item): document for document in documents}
    findings = [
        Finding(
            file=found.file,
            line=lines.of(found.file, found.document, found.field),
            rule=found.rule,
            severity=found.severity,
            message=found.message,
            resource=ResourceRef(
                found.resource.api_version, found.resource.kind, found.resource.namespace, found.resource.name
            ),
        )
        for found in evaluation.findings
    ]
    findings += _schema_findings(files, list(by_place.values()), lines)
    return CheckReport(
        coverage=Coverage(files=len(files), objects=evaluation.objects, rules=evaluation.rules),
        findings=tuple(sorted(set(findings))),
    )


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix in {".yaml", ".yml", ".json"})
            if not found:
                raise UserError("holds no YAML file", file=path)
            yield from found
        elif path.exists():
            yield path
        else:
            raise UserError("no such file or folder", file=path)


def _schema_findings(files: Sequence[Path], documents: Sequence[Document], lines: _Lines) -> Iterator[Finding]:
    by_identity: Mapping[tuple[str, str, str], list[Document]] = defaultdict(list)
    for document in documents:
        name = (document.object.get("metadata") or {}).get("name", "")
        by_identity[document.path, str(document.object["kind"]), str(name)].append(document)
    for file, problems in check_schemas(files).items():
        for problem in problems:
            known = by_identity.get((str(file), problem.kind, problem.name), [])
            content: Mapping[str, Any] = known[0].object if known else {}
            prefix = [part for number in (known[0].item if known else ()) for part in ("items", number)]
            yield Finding(
                file=str(file),
                line=lines.of(str(file), known[0].index if known else 0, (*prefix, *problem.place)),
                rule="schema",
                severity="error",
                message=f"{'.'.join(problem.field) + ': ' if problem.field else ''}{problem.message}",
                resource=ResourceRef(
                    problem.api_version,
                    problem.kind,
                    str((content.get("metadata") or {}).get("namespace") or ""),
                    problem.name,
                ),
            )


class _Lines:
    """Line numbers in files, each parsed once and only when something was found in it."""

    def __init__(self) -> None:
        self._nodes: dict[str, list[Any]] = {}

    def of(self, file: str, document: int, field: Sequence[str | int]) -> int:
        if file not in self._nodes:
            self._nodes[file] = list(nodes(Path(file).read_text(encoding="utf-8"), file))
        found = self._nodes[file][document]
        return line_of(found, field)[0] if found is not None else 1
