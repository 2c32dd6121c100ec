"""What rules say of themselves: explanations with examples from the cases, and a page for each that is current."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cartwright.commands.policy import app
from cartwright.kernel.errors import UserError
from cartwright.policy.explain import examples, pick_rule, summary
from cartwright.policy.model import load_rules
from cartwright.policy.pages import FOLDER, pages, stale, write_pages
from cartwright.prove.suite import Proof
from cartwright.tree.repository import find_root

_RULES = load_rules(find_root() / "policies")


def test_a_page_that_is_old_missing_or_of_no_rule_is_seen_and_mended(tmp_path: Path) -> None:
    shutil.copytree(find_root() / FOLDER, tmp_path / FOLDER)
    (tmp_path / FOLDER / "pinned-image.md").write_text("old\n", encoding="utf-8")
    (tmp_path / FOLDER / "gone.md").write_text("of a rule that is no more\n", encoding="utf-8")
    (tmp_path / FOLDER / "pdb-selects.md").unlink()
    wrong = [f"{FOLDER}/{name}.md" for name in ("gone", "pdb-selects", "pinned-image")]
    assert stale(tmp_path, _RULES) == wrong
    assert write_pages(tmp_path, _RULES) == wrong
    assert stale(tmp_path, _RULES) == []
    assert not (tmp_path / FOLDER / "gone.md").exists()


def test_there_are_at_least_seventy_rules_each_with_a_page() -> None:
    assert len(_RULES) >= 70
    assert pages(_RULES).keys() == {f"{FOLDER}/README.md", *(f"{FOLDER}/{rule.id}.md" for rule in _RULES)}


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_bad_and_a_good_example_that_differ_in_what_the_edit_says(rule: object) -> None:
    shown = examples(rule)  # type: ignore[arg-type]
    bad, good = shown.bad.text.splitlines(), shown.good.text.splitlines()
    for line in shown.edit:
        assert line[1:] in (good if line.startswith("+") else bad)
    assert shown.edit


def test_the_examples_are_those_that_the_rule_names_or_the_pair_that_differs_least() -> None:
    named = examples(pick_rule(_RULES, "topology-spread"))
    assert (named.bad.name, named.good.name) == ("nothing", "spread")
    rule = replace(pick_rule(_RULES, "topology-spread"), example=None)
    assert len(examples(rule).edit) == 2


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no rule 'pinned-imge'.*pinned-image"):
        pick_rule(_RULES, "pinned-imge")


def test_list_says_where_each_rule_runs() -> None:
    done = CliRunner().invoke(app, ["list", "--format", "json"])
    listed = json.loads(done.stdout)
    assert listed["version"] == 1
    assert listed["rules"] == [summary(rule) for rule in _RULES]
    by_id = {rule["id"]: rule for rule in listed["rules"]}
    assert by_id["pinned-image"]["runs_in"] == ["check", "gatekeeper", "admission"]
    assert by_id["digest-ran-upstream"]["runs_in"] == ["check"]


def test_list_shows_one_severity() -> None:
    done = CliRunner().invoke(app, ["list", "--severity", "warning", "--format", "json"])
    severities = {rule["severity"] for rule in json.loads(done.stdout)["rules"]}
    assert severities == {"warning"}


def test_explain_has_why_remedy_examples_and_links() -> None:
    done = CliRunner().invoke(app, ["explain", "read-only-root-filesystem", "--format", "json"])
    found = json.loads(done.stdout)["rule"]
    rule = pick_rule(_RULES, "read-only-root-filesystem")
    assert (found["why"], found["remedy"]) == (rule.why, rule.remedy)
    assert "readOnlyRootFilesystem: true" in found["good"]["manifest"]
    assert found["links"][0]["ref"].startswith("https://kubernetes.io/")
    text = CliRunner().invoke(app, ["explain", "read-only-root-filesystem"]).stdout
    for part in (
        rule.title,
        rule.why,
        rule.remedy,
        f"Bad: {found['bad']['claim']}",
        f"Good: {found['good']['claim']}",
        found["links"][0]["ref"],
    ):
        assert part in text


def test_policy_test_ends_with_1_and_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = [Proof("rules", {"rules": 2}, ()), Proof("mutations", {"survivors": 1}, ("table.yaml:3 r: a hole",))]
    monkeypatch.setattr("cartwright.prove.suite.prove", lambda _tree: iter(proofs))
    done = CliRunner().invoke(app, ["test"])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "ok     rules      2 rules",
        "wrong  mutations  1 survivors",
        "       table.yaml:3 r: a hole",
    ]
    as_json = CliRunner().invoke(app, ["test", "--format", "json"])
    assert json.loads(as_json.stdout)["proofs"][1]["faults"] == ["table.yaml:3 r: a hole"]
    monkeypatch.setattr("cartwright.prove.suite.prove", lambda _tree: iter(proofs[:1]))
    assert CliRunner().invoke(app, ["test"]).exit_code == 0
