"""PrometheusRules: Prometheus can read them, and each alert tells a person what to do."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cartwright.tree.applications import Application
from cartwright.tree.names import read_names
from cartwright.tree.repository import Tree, find_root, open_tree

from ._alert_cases import Case, cases

pytestmark = pytest.mark.slow

Objects = Callable[..., list[tuple[Application, Mapping[str, Any]]]]
RUNBOOKS = f"{read_names(open_tree(find_root())).repository}/blob/main/docs/runbooks/"


def _alerts(objects: Objects) -> list[Mapping[str, Any]]:
    return [
        rule
        for _, one in objects("PrometheusRule", environment="prod")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
    ]


def test_every_alert_has_a_runbook_with_something_to_do_and_every_runbook_an_alert(
    objects: Objects, tree: Tree
) -> None:
    alerts = _alerts(objects)
    assert len(alerts) > 10
    for alert in alerts:
        assert alert["annotations"]["runbook_url"] == f"{RUNBOOKS}{alert['alert']}.md"
    written = {path.stem: path.read_text() for path in (tree.root / "docs" / "runbooks").glob("*.md")}
    assert set(written) == {alert["alert"] for alert in alerts}
    for name, text in written.items():
        assert text.startswith(f"# {name}\n")
        assert "## What to do\n\n1. " in text


def test_every_alert_has_a_severity_a_service_and_a_summary(objects: Objects) -> None:
    for alert in _alerts(objects):
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert set(alert["labels"]) == {"severity", "service"}
        assert alert["annotations"]["summary"]
        assert alert["for"]


@pytest.fixture(scope="module")
def rule_files(objects: Objects, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The groups of each PrometheusRule as Prometheus's own rule files."""
    folder = tmp_path_factory.mktemp("rules")
    for _, one in objects("PrometheusRule", environment="prod"):
        name = one["metadata"]["name"]
        (folder / f"{name}.yaml").write_text(json.dumps({"groups": one["spec"]["groups"]}))
    return folder


def test_prometheus_reads_every_rule(rule_files: Path, promtool: Path) -> None:
    files = sorted(rule_files.glob("*.yaml"))
    assert len(files) >= 5
    checked = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr + checked.stdout


CASES = tuple(cases())


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent(objects: Objects) -> None:
    alerts = {
        (one["metadata"]["name"], rule["alert"])
        for _, one in objects("PrometheusRule", environment="prod")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
    }
    assert {(case.rules, case.alert) for case in CASES if case.firing} == alerts
    assert {(case.rules, case.alert) for case in CASES if not case.firing} == alerts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_alert_fires_when_it_should_and_stays_silent_else(
    rule_files: Path, promtool: Path, tmp_path: Path, case: Case
) -> None:
    rules = rule_files / f"{case.rules}.yaml"
    (rule,) = (
        one
        for group in yaml.safe_load(rules.read_text())["groups"]
        for one in group["rules"]
        if one["alert"] == case.alert
    )
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
                "alert_rule_test": [
                    {"eval_time": moment, "alertname": case.alert, "exp_alerts": alerts}
                    for moments, alerts in (
                        (case.silent, []),
                        (case.firing, [_fired(rule, case)] if case.firing else []),
                    )
                    for moment in moments
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps(test))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _fired(rule: Mapping[str, Any], case: Case) -> Mapping[str, Any]:
    """The alert as Prometheus sends it."""

    def filled(text: str) -> str:
        return re.sub(r"\{\{ [$]labels[.](\w+) \}\}", lambda found: case.labels[found[1]], text)

    return {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {name: filled(text) for name, text in rule["annotations"].items()},
    }


def test_a_pool_counts_as_exhausted_at_the_number_of_connections_it_may_open(objects: Objects) -> None:
    pools = {
        one["metadata"]["labels"]["app.kubernetes.io/name"]: int(one["data"]["DATABASE_POOL_SIZE"])
        + int(one["data"]["DATABASE_POOL_OVERFLOW"])
        for _, one in objects("ConfigMap", environment="prod")
        if "DATABASE_HOST" in one["data"]
    }
    limits = {
        alert["labels"]["service"]: int(alert["expr"].rpartition(">= ")[2])
        for alert in _alerts(objects)
        if alert["alert"] == "DatabasePoolExhausted"
    }
    assert limits == pools
