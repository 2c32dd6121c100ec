"""PrometheusRules: Prometheus can read them, and each alert tells a person what to do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cartwright.applications import Application
from cartwright.repository import Tree

Objects = Callable[..., list[tuple[Application, Mapping[str, Any]]]]
RUNBOOKS = "https://github.com/example-org/cartwright/blob/main/docs/runbooks/"


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


def _series(job: str, failing: str) -> list[dict[str, str]]:
    common = f'job="{job}",route="/products"'
    return [
        {"series": f'http_requests_total{{{common},status="200"}}', "values": "0+600x60"},
        {"series": f'http_requests_total{{{common},status="500"}}', "values": failing},
        # Probes are many and always quick: they must not hide that customers' requests fail.
        {"series": f'http_requests_total{{job="{job}",route="/livez",status="200"}}', "values": "0+100000x60"},
    ]


CASES = [
    pytest.param(
        "ServiceErrorRatioHigh",
        _series("catalog", "0+12x60"),
        ["4m", "20m"],
        ["20m"],
        id="2 % of requests failing fires",
    ),
    pytest.param(
        "ServiceErrorRatioHigh", _series("catalog", "0+3x60"), ["20m"], [], id="half a percent failing stays silent"
    ),
    pytest.param(
        "ServiceDown",
        [{"series": 'up{job="catalog",pod="a"}', "values": "1x10 0x20"}],
        ["10m", "12m", "13m"],
        ["13m"],
        id="down for two minutes fires, not before",
    ),
    pytest.param(
        "ServiceDown",
        [
            {"series": 'up{job="catalog",pod="a"}', "values": "0x30"},
            {"series": 'up{job="catalog",pod="b"}', "values": "1x30"},
        ],
        ["20m"],
        [],
        id="one pod of two down stays silent",
    ),
    pytest.param(
        "ServiceSlow",
        [
            {
                "series": 'http_request_duration_seconds_bucket{job="catalog",route="/products",le="1"}',
                "values": "0+50x60",
            },
            {
                "series": 'http_request_duration_seconds_bucket{job="catalog",route="/products",le="2"}',
                "values": "0+100x60",
            },
            {
                "series": 'http_request_duration_seconds_bucket{job="catalog",route="/products",le="+Inf"}',
                "values": "0+100x60",
            },
        ],
        ["5m", "20m"],
        ["20m"],
        id="half of the requests above a second fires after ten minutes",
    ),
    pytest.param(
        "DatabasePoolExhausted",
        [{"series": 'database_pool_connections{job="catalog",pod="a",state="in_use"}', "values": "9x10 10x20"}],
        ["10m", "15m", "16m"],
        ["16m"],
        id="ten connections in use for five minutes fires",
    ),
]


@pytest.mark.parametrize(("alert", "series", "moments", "firing"), CASES)
def test_an_alert_fires_when_it_should_and_stays_silent_else(
    rule_files: Path,
    promtool: Path,
    tmp_path: Path,
    alert: str,
    series: list[dict[str, str]],
    moments: list[str],
    firing: list[str],
) -> None:
    rules = rule_files / "catalog.yaml"
    (rule,) = (
        one for group in yaml.safe_load(rules.read_text())["groups"] for one in group["rules"] if one["alert"] == alert
    )
    extra = {"pod": "a"} if alert == "DatabasePoolExhausted" else {}
    expected = {
        "exp_labels": {**rule["labels"], **extra},
        "exp_annotations": {key: value.replace("{{ $labels.pod }}", "a") for key, value in rule["annotations"].items()},
    }
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [
                    {"eval_time": at, "alertname": alert, "exp_alerts": [expected] if at in firing else []}
                    for at in moments
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps(test))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
