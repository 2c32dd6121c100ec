"""`cartwright policy test`: everything that proves the rules, in one table of figures and faults."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cartwright.check.hub import NAME as HUB_NAME
from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.policy.cases import Case, Expected, fleets_of, load_cases, load_mutations
from cartwright.policy.engine import evaluate_fleets
from cartwright.policy.model import Rule, load_rules
from cartwright.prove.coverage import Covered, least, library_coverage, rule_coverage, total
from cartwright.prove.mutations import run_mutations
from cartwright.prove.parity import compare_cases, compare_objects
from cartwright.prove.shop import Shop, read_shop
from cartwright.tools import require
from cartwright.tree.repository import FolderTree

__all__ = ["LEAST_COVERAGE", "PROOFS", "Proof", "prove", "rego_tests", "wrong_cases"]

LEAST_COVERAGE = 95.0
"""Per cent of the lines of each Rego file that its tests or cases must reach."""


@dataclass(frozen=True)
class Proof:
    """One sort of proof."""

    name: str
    counts: Mapping[str, float]
    """How much was tried, by what it is."""
    faults: tuple[str, ...]
    """What is wrong, one line each; empty where the proof holds."""


class _Bench:
    """What the proofs are made of, each read once, when it is needed."""

    def __init__(self, tree: FolderTree) -> None:
        self.tree = tree
        self.policies = tree.root / "policies"
        self.tools = require(["conftest", "gator", "opa"])
        self.rules = load_rules(self.policies)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        return load_cases(self.rules)

    @cached_property
    def shop(self) -> Shop:
        return read_shop(self.tree)


def prove(tree: FolderTree, only: Collection[str] = ()) -> Iterator[Proof]:
    """Every proof, one by one as they are found.

    Args:
        tree: the repository.
        only: keys of `PROOFS`; all by default.

    Raises:
        UserError: a rule, a case or a mutation is malformed.
        ToolError: a tool is missing or failed.
    """
    bench = _Bench(tree)
    for name, proof in PROOFS.items():
        if not only or name in only:
            yield proof(bench)


def _rules(bench: _Bench) -> Proof:
    severities = Counter(rule.severity for rule in bench.rules)
    admission = sum("admission" in rule.runs_in for rule in bench.rules)
    counts = {"rules": len(bench.rules), "errors": severities["error"], "warnings": severities["warning"]}
    return Proof("rules", {**counts, "judged at admission too": admission}, ())


def _cases(bench: _Bench) -> Proof:
    failing = sum(case.verdict == "fail" for case in bench.cases)
    counts = {"cases": len(bench.cases), "must fail": failing, "must pass": len(bench.cases) - failing}
    faults = wrong_cases(bench.cases, bench.rules, bench.tools["conftest"], policies=bench.policies)
    return Proof("cases", counts, faults)


def wrong_cases(cases: Sequence[Case], rules: Sequence[Rule], conftest: Path, *, policies: Path) -> tuple[str, ...]:
    """What a rule finds in its cases otherwise than they say: field and message, word for word. One line each."""
    found: dict[str, list[Expected]] = defaultdict(list)
    for one in evaluate_fleets(fleets_of(cases, rules), conftest, policies=policies).findings:
        if one.rule == one.file.partition("/")[0]:
            found[one.file].append(Expected((one.document, *one.field), one.message))
    faults = []
    for case in cases:
        told, wanted = Counter(found[case.label]), Counter(case.findings)
        faults += [f"{case}: also finds {_said(one)}" for one in (told - wanted).elements()]
        faults += [f"{case}: does not find {_said(one)}" for one in (wanted - told).elements()]
    return tuple(faults)


def _said(one: Expected) -> str:
    return f"at {'.'.join(map(str, one.at))}: {one.message}"


def rego_tests(policies: Path, opa: Path) -> Proof:
    """The tests of the library and of Gatekeeper's adapter. One that ends in an error is a fault as well."""
    done = run([opa, "test", "--format=json", policies / "lib", policies / "gatekeeper"], accept=(0, 2))
    try:
        results = json.loads(done.stdout)
    except ValueError as error:
        raise ToolError(f"opa: {done.stderr.strip()}") from error
    faults = tuple(
        f"{Path(one['location']['file']).name}:{one['location']['row']} {one['name']}"
        + (f": {one['error']['message']}" if "error" in one else "")
        for one in results
        if one.get("fail") or "error" in one
    )
    return Proof("library", {"Rego tests": len(results)}, faults)


def _library(bench: _Bench) -> Proof:
    return rego_tests(bench.policies, bench.tools["opa"])


def _coverage(bench: _Bench) -> Proof:
    policies, opa = bench.policies, bench.tools["opa"]
    of_rules = rule_coverage(policies, opa, bench.rules, bench.cases)
    covered: dict[str, Covered] = {**library_coverage(policies, opa), **of_rules}
    lines = sum(one.reached + one.missed for one in covered.values())
    faults = tuple(
        f"policies/{name}:{one.first_missed or 1}: {one.percent:.1f} % of its lines, less than {LEAST_COVERAGE:.0f} %"
        for name, one in least(covered, LEAST_COVERAGE).items()
    )
    counts = {"files": len(covered), "lines": lines, "per cent of lines": round(total(covered), 1)}
    return Proof("coverage", counts, faults)


def _engines(bench: _Bench) -> Proof:
    environments = {name: realm for name, realm in bench.shop.realms.items() if name != HUB_NAME}
    cases = compare_cases(bench.policies, bench.cases)
    rendered = compare_objects(
        bench.policies,
        {name: [document.object for document in realm.documents] for name, realm in environments.items()},
        {name: realm.parameters for name, realm in environments.items()},
    )
    differences = [*cases.differences, *rendered.differences]
    counts = {"cases": cases.cases, "rendered objects": rendered.objects, "differences": len(differences)}
    return Proof("engines", counts, tuple(str(one) for one in differences))


def _mutations(bench: _Bench) -> Proof:
    mutations = load_mutations(bench.rules)
    outcomes = run_mutations(mutations, bench.shop, bench.tools["conftest"], policies=bench.policies)
    survivors = tuple(str(one.mutation) for one in outcomes if one.survived)
    proved = {one.rule for one in mutations}
    counts = {"mutations": len(mutations), "rules that they break": len(proved), "survivors": len(survivors)}
    return Proof("mutations", counts, survivors)


PROOFS: Mapping[str, Callable[[_Bench], Proof]] = {
    "rules": _rules,
    "cases": _cases,
    "library": _library,
    "coverage": _coverage,
    "engines": _engines,
    "mutations": _mutations,
}
"""Every proof by its name, the cheap ones first."""
