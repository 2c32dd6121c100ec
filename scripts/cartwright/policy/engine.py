"""The rules, evaluated: objects in, findings out, one conftest process per call, or a few for very many objects.

conftest gets the objects as JSON and not the YAML files themselves: it overlooks documents behind a separator with a
comment (``--- # second``), forgets the order of a file's documents, and needs longer for it.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import ToolError, UserError, nearest
from cartwright.kernel.identity import Identity
from cartwright.kernel.run import SHORT_LIVED, run
from cartwright.policy.adapter import Fleet, Realm, by_file, data_document, input_document
from cartwright.policy.documents import Document
from cartwright.policy.model import Rule, load_rules

__all__ = [
    "PSS_LEVELS",
    "Evaluation",
    "PolicyFinding",
    "evaluate_documents",
    "evaluate_fleets",
]

_SHARE = 1500
"""From so many objects on a second process takes its share, and so on up to the number of processors: below, compiling
the rules once more would cost more than it saves."""

_LEAST_ROOM, _ROOM_PER_BYTE = 1 << 30, 24
"""Bytes of memory from which on a process collects garbage as often as it must, for each byte of its input: what lives
at once is about half of that."""

PSS_LEVELS = ("privileged", "baseline", "restricted")
"""The levels of the Pod Security Standards, each stricter than the one before."""


@dataclass(frozen=True)
class PolicyFinding:
    """One violation of one rule by one object."""

    rule: str
    severity: str
    """``error`` or ``warning``."""
    message: str
    resource: Identity
    file: str
    """The path that the document was given under."""
    document: int
    """Position of the YAML document in the file, from 0."""
    field: tuple[str | int, ...]
    """Path from the document's root to the field, or to where a missing one belongs; empty for the whole object."""
    realm: str = ""
    """Name of the realm that the object belongs to: its environment, ``hub``, or nothing."""


@dataclass(frozen=True)
class Evaluation:
    """What was judged, and what was found."""

    findings: tuple[PolicyFinding, ...]
    """Sorted by realm, file, document, rule, field."""
    objects: int
    """How many objects were judged, by conftest's own count."""
    rules: int
    """How many rules were loaded and asked, by conftest's own count."""


def evaluate_documents(
    documents: Sequence[Document],
    parameters: Mapping[str, Mapping[str, Any]],
    conftest: Path,
    *,
    policies: Path,
    isolate: bool = False,
    pss: str | None = None,
    only: Collection[str] | None = None,
) -> Evaluation:
    """Judge objects that may refer to each other, of no environment in particular, by all rules but those of a fleet.

    Args:
        documents: the objects.
        parameters: values for rules' parameters, by rule id and name; the rest keep their defaults.
        conftest: the program.
        policies: the folder with ``rules``, ``lib`` and ``conftest``.
        isolate: let only objects of the same file see each other.
        pss: judge pods as if their namespace enforced this Pod Security level.
        only: ids of the rules to ask; all by default.

    Raises:
        UserError: a rule, a parameter or a rule's Rego is wrong; names the file and, where known, the line.
        ToolError: conftest failed, or did not judge everything it was given.
    """
    rules = load_rules(policies)
    _check_parameters(rules, parameters)
    forced = _with_pss(rules, parameters, pss)
    fleets = by_file(documents, forced) if isolate else [Fleet([Realm(documents, parameters=forced)])]
    return evaluate_fleets(fleets, conftest, policies=policies, only=only)


def evaluate_fleets(
    fleets: Sequence[Fleet], conftest: Path, *, policies: Path, only: Collection[str] | None = None
) -> Evaluation:
    """Judge objects of several environments, each against its own, and across environments.

    Args:
        fleets: the objects; rules see what stands in the same realm, and those of scope ``fleet`` the whole fleet.
        conftest: the program.
        policies: the folder with ``rules``, ``lib`` and ``conftest``.
        only: ids of the rules to ask; by default all that some realm asks for.

    Raises:
        UserError: a rule, a parameter or a rule's Rego is wrong; names the file and, where known, the line.
        ToolError: conftest failed, or did not judge everything it was given.
    """
    rules = load_rules(policies)
    realms = [realm for fleet in fleets for realm in fleet.realms]
    for parameters in {id(realm.parameters): realm.parameters for realm in realms}.values():
        _check_parameters(rules, parameters)
    scopes = {scope for realm in realms for scope in realm.scopes}
    rules = tuple(rule for rule in _selected(rules, only) if rule.scope in scopes)
    objects = sum(len(realm.documents) for realm in realms)
    shares = min(os.cpu_count() or 1, 1 + objects // _SHARE)
    with tempfile.TemporaryDirectory(prefix="cartwright-policy-") as folder:
        input_file = Path(folder, "input.json")
        input_file.write_text(_to_json(input_document(fleets, shares=shares)), encoding="utf-8")

        def judge(share: int) -> list[dict[str, Any]]:
            data_file = Path(folder, f"data-{share}.json")
            data_file.write_text(json.dumps(data_document(rules, fleets, share=share)), encoding="utf-8")
            return _conftest(conftest, policies, rules, data=data_file, objects=input_file)

        with ThreadPoolExecutor(max_workers=shares) as pool:
            results = list(pool.map(judge, range(shares)))
    return _evaluation(results, objects=objects, rules=rules)


def _check_parameters(rules: Sequence[Rule], parameters: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse parameters that no rule has, or of another form than the rule's METADATA says."""
    by_id = {rule.id: rule for rule in rules}
    for rule_id, values in parameters.items():
        if rule_id not in by_id:
            raise UserError(f"parameters for '{rule_id}', which is not a rule", hint=nearest(rule_id, by_id))
        if not isinstance(values, Mapping):
            raise UserError(f"parameters of {rule_id} must be a mapping of names to values")
        schemas = {parameter.name: parameter.schema for parameter in by_id[rule_id].parameters}
        for name, value in values.items():
            if name not in schemas:
                raise UserError(f"{rule_id} has no parameter '{name}'", hint=nearest(name, schemas))
            _check_value(f"parameter {name} of {rule_id}", value, schemas[name])


def _check_value(what: str, value: Any, schema: Mapping[str, Any]) -> None:
    import jsonschema

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(dict(schema)).iter_errors(value))
    if error is not None:
        raise UserError(f"{what}: {error.message}")


def _selected(rules: Sequence[Rule], only: Collection[str] | None) -> tuple[Rule, ...]:
    known = {rule.id for rule in rules}
    for wanted in only or ():
        if wanted not in known:
            raise UserError(f"no rule '{wanted}'", hint=nearest(wanted, known))
    return tuple(rule for rule in rules if only is None or rule.id in only)


def _with_pss(
    rules: Sequence[Rule], parameters: Mapping[str, Mapping[str, Any]], level: str | None
) -> Mapping[str, Mapping[str, Any]]:
    if level is None:
        return parameters
    if level not in PSS_LEVELS:
        raise UserError(f"no Pod Security level '{level}'", hint=nearest(level, PSS_LEVELS))
    forced = {rule.id: {**parameters.get(rule.id, {}), "level": level} for rule in rules if rule.id.startswith("pss-")}
    return {**parameters, **forced}


def _to_json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, default=str)
    except ValueError as error:
        raise UserError("a number is infinite or not a number: Kubernetes has no such value") from error


def _modules(policies: Path, rules: Sequence[Rule]) -> list[Path]:
    """The Rego to load, file by file: folders would bring the tests along, which only cost time here."""
    lib = [file for file in sorted(policies.glob("lib/*.rego")) if not file.name.endswith("_test.rego")]
    return [policies / "conftest" / "main.rego", *lib, *(rule.file for rule in rules)]


def _conftest(
    conftest: Path, policies: Path, rules: Sequence[Rule], *, data: Path, objects: Path
) -> list[dict[str, Any]]:
    """The results of the adapter."""
    # An error in a built-in function makes a rule undefined, which would pass for "nothing found": show it instead.
    arguments: list[str | Path] = [
        conftest,
        "test",
        "--no-color",
        "--no-fail",
        "--show-builtin-errors",
        "--output=json",
    ]
    for module in _modules(policies, rules):
        arguments += ["--policy", module]
    done = run([*arguments, "--data", data, objects], accept=(0, 1), env=_memory(objects))
    if done.returncode != 0:
        raise _explain(done.stderr.strip(), policies.parent)
    return [failure for check in json.loads(done.stdout) for failure in check.get("failures") or []]


def _memory(objects: Path) -> dict[str, str]:
    """Collect garbage seldom, which saves a quarter of the time, as long as there is room: more for more objects."""
    room = max(_LEAST_ROOM, _ROOM_PER_BYTE * objects.stat().st_size)
    return {**SHORT_LIVED, "GOMEMLIMIT": str(room)}


# How conftest reports an error of the compiler, and one of a built-in function.
_REGO_ERRORS = (
    re.compile(r"(?P<file>[^\s:]+\.rego):(?P<line>\d+): (?P<message>[^\n]+)"),
    re.compile(r"Message:(?P<message>[^\n]+?) Location:(?P<file>[^\s:]+\.rego):(?P<line>\d+)"),
)


def _explain(stderr: str, root: Path) -> UserError | ToolError:
    """The error behind conftest's last words; one in the Rego names its file and line."""
    found = next((match for form in _REGO_ERRORS if (match := form.search(stderr))), None)
    if found is None:
        return ToolError(f"conftest: {stderr}")
    file = Path(found["file"])
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    return UserError(found["message"], file=shown, line=int(found["line"]))


def _evaluation(results: Sequence[Sequence[Mapping[str, Any]]], *, objects: int, rules: Sequence[Rule]) -> Evaluation:
    """What all processes found, after a look at what each says that it evaluated."""
    findings = []
    judged = 0
    for of_one in results:
        summary: Mapping[str, Any] = {"objects": 0, "rules": []}
        for result in of_one:
            metadata = result["metadata"]
            if "evaluated" in metadata:
                summary = metadata["evaluated"]
            else:
                findings.append(_finding(result["msg"], metadata))
        judged += summary["objects"]
        missing = {rule.id for rule in rules} - set(summary["rules"])
        if missing:
            raise ToolError(f"conftest did not ask these rules: {', '.join(sorted(missing))}")
    if judged != objects:
        raise ToolError(f"conftest judged {judged} of {objects} objects")
    findings.sort(key=_order)
    return Evaluation(findings=tuple(findings), objects=judged, rules=len(rules))


def _finding(message: str, metadata: Mapping[str, Any]) -> PolicyFinding:
    resource = metadata["resource"]
    prefix = [part for number in metadata["item"] for part in ("items", _whole(number))]
    return PolicyFinding(
        rule=metadata["rule"],
        severity=metadata["severity"],
        message=message,
        resource=Identity.of(*(str(resource[part]) for part in ("apiVersion", "kind", "namespace", "name"))),
        file=metadata["path"],
        document=_whole(metadata["index"]),
        realm=metadata["realm"],
        field=(*prefix, *(_whole(part) for part in metadata["details"].get("path", []))),
    )


def _whole(part: Any) -> Any:
    """Numbers leave conftest as floats."""
    return math.trunc(part) if isinstance(part, float) else part


def _order(finding: PolicyFinding) -> tuple[str, str, int, str, tuple[str, ...], str]:
    return (
        finding.realm,
        finding.file,
        finding.document,
        finding.rule,
        tuple(f"{part:09}" if isinstance(part, int) else part for part in finding.field),
        finding.message,
    )
