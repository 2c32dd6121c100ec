"""Two engines, one verdict: what conftest and Gatekeeper's engine (gator) each find in the same objects, compared.

A case is a world of its own, and gator needs longer to start than to judge one. So many cases go into one process,
each with namespaces of its own, and a case that comes out differently is tried again alone: what it gets there counts.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.policy.cases import Case
from cartwright.policy.documents import Document
from cartwright.policy.engine import evaluate_documents
from cartwright.policy.gatekeeper import CONSTRAINT, Settings, constraint, enforcement, template
from cartwright.policy.model import Rule, load_rules
from cartwright.tools import require

__all__ = ["Difference", "Parity", "compare_cases", "compare_objects", "gatekeeper_rules"]

_MARK = "cartwright.dev/case"
"""Annotation that tells which case an object came from."""
_SUFFIX = re.compile(r"-x\d+x\b")
_SPECIAL = re.compile(r"default|kube-.*|gatekeeper-system|")
"""Namespaces that mean something by their name."""
_GATEKEEPER = (
    "templates.gatekeeper.sh/",
    "constraints.gatekeeper.sh/",
    "syncset.gatekeeper.sh/",
    "config.gatekeeper.sh/",
)
"""Objects of these groups are instructions to gator, not objects to judge."""
_NOT_LOADED = "adding data of GVK"
"""How gator begins to say that an object does not fit its kind."""
_SECONDS = 300.0
_BATCH = 150
"""Cases per process: some rules look at every namespace, so that twice as many need more than twice the time."""


@dataclass(frozen=True, order=True)
class Difference:
    """A finding that one engine has and the other has not."""

    where: str
    """The case's label, or the environment."""
    engine: str
    """Which engine found it: ``conftest`` or ``gator``."""
    rule: str
    resource: str
    """Kind, namespace and name."""
    message: str

    def __str__(self) -> str:
        return f"{self.where}: only {self.engine} finds [{self.rule}] {self.message}"


@dataclass(frozen=True)
class Parity:
    """What was compared."""

    rules: int
    """Rules that both engines were asked."""
    cases: int
    """How many cases; 0 where whole environments were compared."""
    objects: int
    """Objects that both engines judged."""
    findings: int
    """Findings that both agree on."""
    alone: int
    """Cases that had to be tried alone."""
    unreadable: tuple[str, ...]
    """Labels of cases with an object so malformed that neither gator nor an API server takes it."""
    differences: tuple[Difference, ...]


_Found = tuple[str, str, str, tuple[str | int, ...]]
"""Rule, object, message, path to the field."""


def gatekeeper_rules(policies: Path) -> tuple[Rule, ...]:
    """The rules that Gatekeeper can evaluate.

    Raises:
        UserError: as `load_rules`.
    """
    return tuple(rule for rule in load_rules(policies) if "gatekeeper" in rule.runs_in)


def compare_cases(policies: Path, cases: Sequence[Case]) -> Parity:
    """Compare on the cases of rules that both engines evaluate, each a world of its own.

    Raises:
        UserError: a rule can't be read.
        ToolError: an engine failed.
    """
    rules = gatekeeper_rules(policies)
    engines = _Engines(policies, rules)
    shared = {rule.id for rule in rules}
    worlds = {case.label: _flat(case.documents) for case in cases if case.rule in shared}
    expected = engines.conftest([document for documents in worlds.values() for document in documents], {}, isolate=True)
    found = engines.gator_in_batches(worlds)
    readable = {name: counted for name, counted in found.items() if counted is not None}
    doubtful = [name for name in readable if expected.get(name, Counter()) != readable[name]]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        again = pool.map(lambda name: engines.gator(name, [one.object for one in worlds[name]], {}), doubtful)
        readable |= dict(zip(doubtful, again, strict=True))
    return Parity(
        rules=len(rules),
        cases=len(readable),
        objects=sum(len(worlds[name]) for name in readable),
        findings=sum(expected.get(name, Counter()).total() for name in readable),
        alone=len(doubtful),
        unreadable=tuple(sorted(set(worlds) - set(readable))),
        differences=tuple(
            sorted(
                one for name in readable for one in _differences(name, expected.get(name, Counter()), readable[name])
            )
        ),
    )


def compare_objects(
    policies: Path, environments: Mapping[str, Sequence[Mapping[str, Any]]], parameters: Mapping[str, Mapping[str, Any]]
) -> Parity:
    """Compare on the rendered objects of each environment, before waivers.

    Args:
        policies: the folder with ``rules`` and ``lib``.
        environments: its objects by the name of each.
        parameters: by environment, the values for rules' parameters by rule id and name.

    Raises:
        UserError: a rule can't be read.
        ToolError: an engine failed.
    """
    rules = gatekeeper_rules(policies)
    engines = _Engines(policies, rules)
    judged = {
        name: [one for one in objects if not str(one["apiVersion"]).startswith(_GATEKEEPER)]
        for name, objects in environments.items()
    }

    def compare(name: str) -> tuple[Counter[_Found], Counter[_Found]]:
        documents = [Document(path=name, index=index, object=one) for index, one in enumerate(judged[name])]
        expected = engines.conftest(documents, parameters.get(name, {}), isolate=False).get(name, Counter())
        return expected, engines.gator(name, judged[name], parameters.get(name, {}))

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        results = dict(zip(judged, pool.map(compare, judged), strict=True))
    return Parity(
        rules=len(rules),
        cases=0,
        objects=sum(map(len, judged.values())),
        findings=sum(expected.total() for expected, _ in results.values()),
        alone=0,
        unreadable=(),
        differences=tuple(sorted(one for name, pair in results.items() for one in _differences(name, *pair))),
    )


def _differences(where: str, expected: Counter[_Found], found: Counter[_Found]) -> Iterable[Difference]:
    for engine, surplus in (("conftest", expected - found), ("gator", found - expected)):
        for rule, resource, message, _ in surplus:
            yield Difference(where=where, engine=engine, rule=rule, resource=resource, message=message)


class _Engines:
    """Both engines with the same rules."""

    def __init__(self, policies: Path, rules: Sequence[Rule]) -> None:
        self._policies = policies
        self._rules = rules
        tools = require(["conftest", "gator"])
        self._conftest, self._gator = tools["conftest"], tools["gator"]
        self._template = template(rules, policies)

    def conftest(
        self, documents: Sequence[Document], parameters: Mapping[str, Mapping[str, Any]], *, isolate: bool
    ) -> dict[str, Counter[_Found]]:
        """Findings by file."""
        evaluation = evaluate_documents(
            documents,
            parameters,
            self._conftest,
            policies=self._policies,
            isolate=isolate,
            only=[rule.id for rule in self._rules],
        )
        counted: dict[str, Counter[_Found]] = {}
        for one in evaluation.findings:
            resource = f"{one.resource.kind} {one.resource.namespace}/{one.resource.name}"
            counted.setdefault(one.file, Counter())[one.rule, resource, one.message, one.field] += 1
        return counted

    def gator(
        self, where: str, objects: Sequence[Mapping[str, Any]], parameters: Mapping[str, Mapping[str, Any]]
    ) -> Counter[_Found]:
        """Findings in objects that see each other."""
        return Counter(_of_gator(result) for result in self._run([_marked(one, where) for one in objects], parameters))

    def gator_in_batches(self, worlds: Mapping[str, Sequence[Document]]) -> dict[str, Counter[_Found] | None]:
        """Findings in cases by label, many in one process, as far as namespaces keep them apart; None for a case that
        gator does not load."""
        # One object that is not loaded spoils its whole batch: likely ones stay among themselves.
        suspects = [name for name in worlds if any(_is_odd(document.object) for document in worlds[name])]
        names = [name for name in worlds if name not in suspects]
        batches = [[name] for name in suspects]
        batches += [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            parts = pool.map(lambda batch: self._gator_apart({name: worlds[name] for name in batch}), batches)
        return {name: counted for part in parts for name, counted in part.items()}

    def _gator_apart(self, worlds: Mapping[str, Sequence[Document]]) -> dict[str, Counter[_Found] | None]:
        try:
            return self._gator_together(worlds)
        except ToolError as error:
            if _NOT_LOADED not in str(error):
                raise
            if len(worlds) == 1:
                return dict.fromkeys(worlds)
            names = list(worlds)
            halves = (names[: len(names) // 2], names[len(names) // 2 :])
            return {
                name: counted
                for half in halves
                for name, counted in self._gator_apart({name: worlds[name] for name in half}).items()
            }

    def _gator_together(self, worlds: Mapping[str, Sequence[Document]]) -> dict[str, Counter[_Found] | None]:
        objects = []
        for number, (name, documents) in enumerate(worlds.items()):
            namespaces = {
                namespace: f"{namespace}-x{number}x"
                for document in documents
                for namespace in _namespaces(document.object)
                if not _SPECIAL.fullmatch(namespace)
            }
            objects += [_marked(_renamed(document.object, namespaces), name) for document in documents]
        counted: dict[str, Counter[_Found]] = {name: Counter() for name in worlds}
        for result in self._run(objects, {}):
            annotations = result["violatingObject"]["metadata"]["annotations"]
            counted[annotations[_MARK]][_of_gator(result)] += 1
        return dict(counted)

    def _run(
        self, objects: Sequence[Mapping[str, Any]], parameters: Mapping[str, Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        constraints = [
            constraint(rule, parameters.get(rule.id, {}), enforcement(rule), Settings()) for rule in self._rules
        ]
        with tempfile.TemporaryDirectory(prefix="cartwright-parity-") as folder:
            file = Path(folder, "input.yaml")
            text = "\n---\n".join(json.dumps(one, default=str) for one in [self._template, *constraints, *objects])
            file.write_text(text, encoding="utf-8")
            done = run([self._gator, "test", "--filename", file, "--output=json"], accept=(0, 1), timeout=_SECONDS)
        try:
            results = json.loads(done.stdout)
        except ValueError as error:
            raise ToolError(f"gator: {(done.stderr or done.stdout).strip()[-2000:]}") from error
        return list(results or ())


def _flat(documents: Sequence[Document]) -> list[Document]:
    """Items of Lists as objects that stand for themselves, as gator takes them."""
    return [Document(path=one.path, index=index, object=one.object) for index, one in enumerate(documents)]


def _of_gator(result: Mapping[str, Any]) -> _Found:
    if result["constraint"]["apiVersion"] != CONSTRAINT:
        raise ToolError(f"gator: a result of an unknown constraint: {result['constraint']}")
    one = result["violatingObject"]
    metadata = one.get("metadata") or {}
    name = _text(metadata.get("name")) or _text(metadata.get("generateName"))
    namespace = _SUFFIX.sub("", _text(metadata.get("namespace")))
    path = tuple((result.get("metadata") or {}).get("details", {}).get("path", ()))
    resource = f"{one['kind']} {namespace}/{_SUFFIX.sub('', name)}"
    return result["constraint"]["metadata"]["name"], resource, _SUFFIX.sub("", result["msg"]), path


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_odd(one: Mapping[str, Any]) -> bool:
    """A Namespace whose labels are malformed."""
    labels = (one.get("metadata") or {}).get("labels") or {} if one["kind"] == "Namespace" else {}
    return not isinstance(labels, Mapping) or any(not isinstance(value, str) for value in labels.values())


def _namespaces(one: Mapping[str, Any]) -> Iterable[str]:
    metadata = one.get("metadata")
    if isinstance(metadata, Mapping):
        named = metadata.get("name" if (one["apiVersion"], one["kind"]) == ("v1", "Namespace") else "namespace")
        if isinstance(named, str):
            yield named


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """The same with every text that is one of the names replaced."""
    if isinstance(node, Mapping):
        return {key: _renamed(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value, names) for value in node]
    return names.get(node, node) if isinstance(node, str) else node


def _marked(one: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A copy that says where it comes from. What is not there or malformed is left as it is, but for the mark."""
    metadata = one.get("metadata")
    own: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    annotations = own.get("annotations")
    marked = {**(annotations if isinstance(annotations, Mapping) else {}), _MARK: where}
    return {**one, "metadata": {**own, "annotations": marked}}
