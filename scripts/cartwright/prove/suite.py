"""`cartwright policy test`: everything that proves the rules, in one table of figures and faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cartwright.check.hub import NAME as HUB_NAME
from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.policy.engine import evaluate_fleets
from cartwright.policy.fixtures import read_fixtures
from cartwright.policy.model import Rule, load_rules
from cartwright.prove.coverage import Covered, least, library_coverage, rule_coverage, total
from cartwright.prove.mutations import load_mutations, run_mutations
from cartwright.prove.parity import compare_fixtures, compare_objects
from cartwright.prove.shop import Shop, read_shop
from cartwright.tools import require
from cartwright.tree.repository import FolderTree

__all__ = ["LEAST_COVERAGE", "Proof", "prove", "rego_tests"]

LEAST_COVERAGE = 95.0
"""Per cent of the lines of each Rego file that its tests or fixtures must reach."""


@dataclass(frozen=True)
class Proof:
    """One sort of proof."""

    name: str
    counts: Mapping[str, float]
    """How much was tried, by what it is."""
    faults: tuple[str, ...]
    """What is wrong, one line each; empty where the proof holds."""


def prove(tree: FolderTree) -> Iterator[Proof]:
    """Every proof, one by one as they are found.

    Raises:
        UserError: a rule, a fixture or the mutation table is malformed.
        ToolError: a tool is missing or failed.
    """
    policies = tree.root / "policies"
    tools = require(["conftest", "gator", "opa"])
    rules = load_rules(policies)
    yield _rules(rules)
    yield _fixtures(rules, policies, tools["conftest"])
    yield rego_tests(policies, tools["opa"])
    yield _coverage(policies, tools["opa"])
    shop = read_shop(tree)
    yield _parity(policies, shop)
    yield _mutations(tree, shop, tools["conftest"])


def _rules(rules: Sequence[Rule]) -> Proof:
    severities = Counter(rule.severity for rule in rules)
    admission = sum("admission" in rule.runs_in for rule in rules)
    counts = {"rules": len(rules), "errors": severities["error"], "warnings": severities["warning"]}
    return Proof("rules", {**counts, "judged at admission too": admission}, ())


def _fixtures(rules: Sequence[Rule], policies: Path, conftest: Path) -> Proof:
    files = sorted(policies.glob("rules/*/*/*.yaml"))
    evaluation = evaluate_fleets(read_fixtures(files, rules), conftest, policies=policies)
    fired = {(finding.file, finding.rule) for finding in evaluation.findings}
    faults = []
    for file in files:
        rule, folder = file.parts[-3], file.parts[-2]
        if ((str(file), rule) in fired) != (folder == "fail"):
            faults.append(
                f"{file.relative_to(policies.parent)}: {rule} {'says nothing' if folder == 'fail' else 'fires'}"
            )
    failing = sum(file.parts[-2] == "fail" for file in files)
    counts = {"fixtures": len(files), "must fail": failing, "must pass": len(files) - failing}
    return Proof("fixtures", counts, tuple(faults))


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


def _coverage(policies: Path, opa: Path) -> Proof:
    covered: dict[str, Covered] = {**library_coverage(policies, opa), **rule_coverage(policies, opa)}
    lines = sum(one.reached + one.missed for one in covered.values())
    faults = tuple(
        f"policies/{name}:{one.first_missed or 1}: {one.percent:.1f} % of its lines, less than {LEAST_COVERAGE:.0f} %"
        for name, one in least(covered, LEAST_COVERAGE).items()
    )
    counts = {"files": len(covered), "lines": lines, "per cent of lines": round(total(covered), 1)}
    return Proof("coverage", counts, faults)


def _parity(policies: Path, shop: Shop) -> Proof:
    environments = {name: realm for name, realm in shop.realms.items() if name != HUB_NAME}
    fixtures = compare_fixtures(policies)
    rendered = compare_objects(
        policies,
        {name: [document.object for document in realm.documents] for name, realm in environments.items()},
        {name: realm.parameters for name, realm in environments.items()},
    )
    differences = [*fixtures.differences, *rendered.differences]
    counts = {"fixtures": fixtures.fixtures, "rendered objects": rendered.objects, "differences": len(differences)}
    return Proof("engines", counts, tuple(str(one) for one in differences))


def _mutations(tree: FolderTree, shop: Shop, conftest: Path) -> Proof:
    table = load_mutations(tree.root)
    outcomes = run_mutations(table, shop, conftest, policies=tree.root / "policies")
    survivors = tuple(str(one.mutation) for one in outcomes if one.survived)
    proved = {one.rule for one in table}
    counts = {"mutations": len(table), "rules that they break": len(proved), "survivors": len(survivors)}
    return Proof("mutations", counts, survivors)
