"""``cartwright policy``: list, explain, prove and document the rules, and build Gatekeeper's files from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.output import stdout, write
from cartwright.options.formats import TEXT, Format
from cartwright.policy.model import SEVERITIES, load_rules
from cartwright.tree.repository import find_root

if TYPE_CHECKING:
    from cartwright.policy.model import Rule

app = typer.Typer(no_args_is_help=True, help="List, explain, prove and document the policy rules.")

_VERSION = 1
"""Version of the JSON forms; a change that breaks a reader raises it."""


@app.command("list")
def list_rules(
    severity: Annotated[str | None, typer.Option(help="Only error or warning.")] = None,
    output: Format = TEXT,
) -> None:
    """List the rules: id, severity, where each runs, and what it requires.

    Examples: `cartwright policy list`, `cartwright policy list --severity error --format json`.
    """
    from cartwright.policy.explain import summary

    if severity is not None and severity not in SEVERITIES:
        raise UserError(f"no severity '{severity}'", hint=nearest(severity, SEVERITIES))
    rules = [rule for rule in _rules() if severity in (None, rule.severity)]
    if output == "json":
        write(json.dumps({"version": _VERSION, "rules": [summary(rule) for rule in rules]}, indent=2))
        return
    from rich.table import Table

    table = Table("rule", "severity", "runs in", "what holds", box=None)
    for rule in rules:
        table.add_row(rule.id, rule.severity, ", ".join(rule.runs_in), rule.title)
    stdout().print(table)
    stdout().print(f"{len(rules)} rules")


@app.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Id of a rule, as in findings.")],
    output: Format = TEXT,
) -> None:
    """Explain a rule: why it exists, a bad and a good example from its cases, the remedy, and where to read more.

    Examples: `cartwright policy explain pinned-image`, `cartwright policy explain pdb-selects --format json`.
    """
    from cartwright.policy.explain import as_data, pick_rule

    found = as_data(pick_rule(_rules(), rule))
    if output == "json":
        write(json.dumps({"version": _VERSION, "rule": found}, indent=2, ensure_ascii=False))
        return
    from cartwright.policy.explain import as_text

    stdout().print(as_text(found))


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a page is not current.")] = False,
) -> None:
    """Generate docs/policies: a page for each rule, and a table of all.

    Examples: `cartwright policy docs`, `cartwright policy docs --check`.
    """
    from cartwright.policy.pages import stale, write_pages

    root = find_root()
    rules = load_rules(root / "policies")
    changed = stale(root, rules) if check else write_pages(root, rules)
    for path in changed:
        write(f"{path}: {'is not current; run `cartwright policy docs`' if check else 'written'}")
    if not changed:
        write(f"{len(rules) + 1} pages are current")
    if check and changed:
        raise typer.Exit(1)


@app.command()
def build(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 and name the files that are not current.")
    ] = False,
) -> None:
    """Generate Gatekeeper's template and constraints in apps/platform/gatekeeper, and each environment's parameters.

    The parameters stand in environments/<env>/platform/gatekeeper/parameters.

    Examples: `cartwright policy build`, `cartwright policy build --check`.
    """
    from cartwright.options.generating import write_generated
    from cartwright.policy.constraints import generate
    from cartwright.tree.repository import open_tree

    root = find_root()
    write_generated(
        root,
        generate(open_tree(root)),
        check=check,
        what="files for Gatekeeper",
        source="the rules and environments say",
        again="cartwright policy build",
    )


@app.command("test")
def test_rules(
    output: Format = TEXT,
) -> None:
    """Prove the rules: cases, Rego tests, coverage, equal verdicts of two engines, and mutations of the shop.

    Examples: `cartwright policy test`, `cartwright policy test --format json`.

    Exit codes: 0 all proofs hold, 1 some do not, 2 the rules can't be read.
    """
    from cartwright.prove.suite import prove
    from cartwright.tree.repository import open_tree

    proofs = []
    for proof in prove(open_tree(find_root(), None)):
        proofs.append(proof)
        if output == "text":
            counted = ", ".join(f"{number:g} {what}" for what, number in proof.counts.items())
            write(f"{'wrong' if proof.faults else 'ok':<6} {proof.name:<10} {counted}")
            for fault in proof.faults:
                write(f"       {fault}")
    if output == "json":
        listed = [{"name": one.name, "counts": dict(one.counts), "faults": list(one.faults)} for one in proofs]
        write(json.dumps({"version": _VERSION, "proofs": listed}, indent=2))
    if any(proof.faults for proof in proofs):
        raise typer.Exit(1)


def _rules() -> Sequence[Rule]:
    return load_rules(find_root() / "policies")
