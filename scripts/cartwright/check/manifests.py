"""Judging YAML files as they are, without Argo CD or kustomize: ``cartwright check --manifests``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cartwright.check.conformance import SchemaProblem, check_schemas
from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import CheckReport, Coverage, Finding, ResourceRef
from cartwright.policy.documents import Document, documents_of, read_text
from cartwright.policy.engine import evaluate_documents
from cartwright.tools import require
from cartwright.tree.repository import FolderTree
from cartwright.yaml.read import line_of, nodes

__all__ = ["check_manifests"]

_SUFFIXES = frozenset({".json", ".yaml", ".yml"})


def check_manifests(
    tree: FolderTree, paths: Sequence[Path], *, isolate: bool = False, pss: str | None = None
) -> CheckReport:
    """Validate and judge every object of YAML files and folders.

    Args:
        tree: where the policies are.
        paths: files, and folders whose ``.yaml``, ``.yml`` and ``.json`` files are taken.
        isolate: judge each file on its own; else objects of all files see each other.
        pss: judge pods as if their namespace enforced this Pod Security level.

    Raises:
        UserError: no such path, no object in any of them, or a file that is no YAML, too large or none of objects.
    """
    texts = {str(file): read_text(file) for file in dict.fromkeys(_files(paths))}
    documents = [document for path, text in texts.items() for document in documents_of(text, path)]
    if not documents:
        raise UserError("holds no Kubernetes object", file=paths[0])
    evaluation = evaluate_documents(
        documents, {}, require(["conftest"])["conftest"], policies=tree.root / "policies", isolate=isolate, pss=pss
    )
    lines = _Lines(texts)
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
    findings += _schema_findings(documents, lines)
    return CheckReport(
        coverage=Coverage(files=len(texts), objects=evaluation.objects, rules=evaluation.rules),
        findings=tuple(sorted(set(findings))),
    )


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES and not one.is_dir())
            if not found:
                raise UserError("holds no YAML file", file=path)
            yield from found
        elif path.exists():
            yield path
        else:
            raise UserError("no such file or folder", file=path)


def _schema_findings(documents: Sequence[Document], lines: _Lines) -> Iterator[Finding]:
    found = [_misnamed(document) for document in documents]
    # Each object stands in a file of its own: so it is known whose a problem is, in a List too, and of two of one name.
    with tempfile.TemporaryDirectory(prefix="cartwright-schema-") as folder:
        for number, document in enumerate(documents):
            content = _without(document.object, found[number])
            Path(folder, f"{number}.json").write_text(json.dumps(content, default=str), encoding="utf-8")
        for file, problems in check_schemas([Path(folder)]).items():
            found[int(file.stem)] += problems
    for document, problems in zip(documents, found, strict=True):
        prefix = [part for number in document.item for part in ("items", number)]
        for problem in problems:
            yield Finding(
                file=document.path,
                line=lines.of(document.path, document.index, (*prefix, *problem.place)),
                rule="schema",
                severity="error",
                message=f"{'.'.join(problem.field) + ': ' if problem.field else ''}{problem.message}",
                resource=_reference(document),
            )


def _misnamed(document: Document) -> tuple[SchemaProblem, ...]:
    """What is wrong with the names of an object: kubeconform would stop there, and judge nothing else of it."""
    metadata = document.object.get("metadata")
    if metadata is None:
        return ()
    if not isinstance(metadata, Mapping):
        return (_wrong_type(document, ("metadata",), metadata, "object"),)
    return tuple(
        _wrong_type(document, ("metadata", field), metadata[field], "string")
        for field in ("generateName", "name", "namespace")
        if not isinstance(metadata.get(field), str | None)
    )


def _wrong_type(document: Document, field: tuple[str, ...], value: object, wanted: str) -> SchemaProblem:
    names = {bool: "boolean", dict: "object", float: "number", int: "number", list: "array", str: "string"}
    return SchemaProblem(
        kind=str(document.object["kind"]),
        name="",
        api_version=str(document.object["apiVersion"]),
        field=field,
        message=f"got {names.get(type(value), type(value).__name__)}, want {wanted}",
    )


def _without(content: Mapping[str, Any], problems: Sequence[SchemaProblem]) -> Mapping[str, Any]:
    """A copy that lacks the fields at fault."""
    fields = {problem.field for problem in problems}
    if ("metadata",) in fields:
        return {key: value for key, value in content.items() if key != "metadata"}
    if not fields:
        return content
    kept = {key: value for key, value in content["metadata"].items() if ("metadata", key) not in fields}
    return {**content, "metadata": kept}


def _reference(document: Document) -> ResourceRef:
    metadata = document.object.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    return ResourceRef(
        api_version=str(document.object["apiVersion"]),
        kind=str(document.object["kind"]),
        namespace=str(named.get("namespace") or ""),
        name=str(named.get("name") or named.get("generateName") or ""),
    )


class _Lines:
    """Line numbers in texts, each parsed once and only when something was found in it."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._nodes: dict[str, list[Any]] = {}

    def of(self, file: str, document: int, field: Sequence[str | int]) -> int:
        if file not in self._nodes:
            self._nodes[file] = list(nodes(self._texts[file], file))
        return line_of(self._nodes[file][document], field)[0]
