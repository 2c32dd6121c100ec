"""Judging YAML files and folders, without Argo CD: ``cartwright check --manifests``."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cartwright.check.collect import Collected, collect
from cartwright.check.conformance import SchemaProblem, check_schemas
from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import CheckReport, Coverage, Finding
from cartwright.kernel.identity import Identity, identity_of
from cartwright.kernel.output import stderr
from cartwright.policy.documents import Document
from cartwright.policy.engine import evaluate_documents
from cartwright.tools import require
from cartwright.tree.repository import FolderTree
from cartwright.tree.sources import SourceMap
from cartwright.yaml.read import line_of, nodes

__all__ = ["check_manifests"]


def check_manifests(
    tree: FolderTree, paths: Sequence[Path], *, isolate: bool = False, pss: str | None = None, strict: bool = False
) -> CheckReport:
    """Validate and judge every object of YAML files and folders.

    Args:
        tree: where the policies are.
        paths: files, and folders whose ``.yaml``, ``.yml`` and ``.json`` files are taken. Their kustomizations are
            rendered, and what goes into one is judged as it comes out. Other files that are not manifests are skipped,
            which is said on standard error.
        isolate: judge each file and each rendering on its own; else objects of all of them see each other.
        pss: judge pods as if their namespace enforced this Pod Security level.
        strict: refuse a folder with a file that would be skipped.

    Raises:
        UserError: no such path, no object in any of them, or a file that is too large or holds objects and something
            else. Of files that are named, and of all that would be skipped if it is strict: no YAML, or none of
            objects.
    """
    found = collect(paths, strict=strict)
    if found.skipped:
        files = "1 file is not a manifest and was" if found.skipped == 1 else f"{found.skipped} files are not manifests"
        stderr().print(f"{files}{'' if found.skipped == 1 else ' and were'} skipped", markup=False)
    if not found.documents and not found.failures:
        raise UserError("holds no Kubernetes object", file=paths[0])
    lines = _Lines(found)
    findings = [
        Finding(
            file=one.file, line=one.line, rule="render", severity="error", message=f"can't be rendered: {one.message}"
        )
        for one in found.failures
    ]
    rules = objects = 0
    if found.documents:
        evaluation = evaluate_documents(
            found.documents,
            {},
            require(["conftest"])["conftest"],
            policies=tree.root / "policies",
            isolate=isolate,
            pss=pss,
        )
        rules, objects = evaluation.rules, evaluation.objects
        by_place = {(one.path, one.index): one for one in found.documents}
        for one in evaluation.findings:
            file, line = lines.of(by_place[one.file, one.document], one.field)
            findings.append(
                Finding(
                    file=file,
                    line=line,
                    rule=one.rule,
                    severity=one.severity,
                    message=one.message,
                    resource=one.resource,
                )
            )
        findings += _schema_findings(found.documents, lines)
    return CheckReport(
        coverage=Coverage(files=found.files, objects=objects, rules=rules),
        findings=tuple(sorted(set(findings))),
    )


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
            place, line = lines.of(document, (*prefix, *problem.place))
            yield Finding(
                file=place,
                line=line,
                rule="schema",
                severity="error",
                message=f"{'.'.join(problem.field) + ': ' if problem.field else ''}{problem.message}",
                resource=_identity(document),
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


def _identity(document: Document) -> Identity:
    found, metadata = identity_of(document.object), document.object.get("metadata")
    generated = metadata.get("generateName") if isinstance(metadata, Mapping) else None
    return found if found.name else replace(found, name=str(generated or ""))


class _Lines:
    """Where fields stand, each file parsed once and only when something was found in it."""

    def __init__(self, found: Collected) -> None:
        self._found = found
        self._nodes: dict[str, list[Any]] = {}
        self._sources: dict[str, SourceMap] = {}

    def of(self, document: Document, field: Sequence[str | int]) -> tuple[str, int]:
        """File and one-based line behind a field."""
        path = document.path
        if path in self._found.rendered:
            folder, rendered = self._found.rendered[path]
            sources = self._sources.setdefault(path, SourceMap(FolderTree(root=folder)))
            file, line = sources.locate(rendered.closure, document.object, field)
            return os.path.normpath(folder / file), line
        if path not in self._nodes:
            self._nodes[path] = list(nodes(self._found.texts[path], path))
        return path, line_of(self._nodes[path][document.index], field)[0]
