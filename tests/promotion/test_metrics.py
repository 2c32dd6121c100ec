"""The four figures are what their definitions say, counted by hand on small histories."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.promotion.argo import AppState, parse_application
from cartwright.promotion.audit.metrics import Figures, Metrics, Sync, measure, read_syncs
from tests.promotion.histories import APP, BEGIN, CHAIN, Shop, minutes

HOUR = 60.0


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def measured(root: Path, *, now: datetime, since: datetime = BEGIN - timedelta(days=30), **more: Any) -> Metrics:
    record = read_record(root, read_head(root).commit, now=now)
    more.setdefault("upstreams", CHAIN)
    return measure(record, environments=list(more["upstreams"]), since=since, **more)


def way(shop: Shop, tag: str, *, begin: float) -> None:
    """A release: dev at once, staging after an hour, prod after four."""
    shop.release(tag, at=minutes(begin))
    shop.promote(tag, "dev", "staging", at=minutes(begin + HOUR))
    shop.promote(tag, "staging", "prod", at=minutes(begin + 4 * HOUR))


def test_frequency_and_lead_time_of_each_environment(shop: Shop) -> None:
    way(shop, "1.1.0", begin=HOUR)
    way(shop, "1.2.0", begin=24 * HOUR)
    shop.write()
    found = measured(shop.root, now=BEGIN + timedelta(days=4)).environments
    assert [found[name].deployments for name in CHAIN] == [2, 2, 2]
    assert (found["prod"].days, found["prod"].per_day) == (4.0, 0.5)
    assert found["dev"].lead_times == ()
    assert found["staging"].lead_times == (3600.0, 3600.0)
    assert found["prod"].lead_times == (4 * 3600.0, 4 * 3600.0)
    assert (found["prod"].failure_rate, found["prod"].restores) == (0.0, ())


def test_a_rollback_makes_the_deployment_before_it_a_failure_and_is_none_itself(shop: Shop) -> None:
    way(shop, "1.1.0", begin=0)
    way(shop, "1.2.0", begin=24 * HOUR)
    shop.rollback("1.1.0", "prod", at=minutes(28 * HOUR + 30))
    shop.write()
    prod = measured(shop.root, now=BEGIN + timedelta(days=4)).environments["prod"]
    assert (prod.deployments, prod.failed, prod.failure_rate, prod.restores) == (2, 1, 0.5, (30 * 60.0,))


def test_a_revert_by_hand_counts_as_a_rollback(shop: Shop) -> None:
    way(shop, "1.1.0", begin=0)
    shop.edit("prod", "1.0.0", at=minutes(5 * HOUR))
    shop.write()
    prod = measured(shop.root, now=BEGIN + timedelta(days=4)).environments["prod"]
    assert (prod.deployments, prod.failed, prod.restores) == (1, 1, (3600.0,))


def test_only_the_window_counts_but_what_ended_a_deployment_may_come_from_anywhere(shop: Shop) -> None:
    way(shop, "1.1.0", begin=0)
    way(shop, "1.2.0", begin=48 * HOUR)
    shop.rollback("1.1.0", "prod", at=minutes(60 * HOUR))
    shop.write()
    now = BEGIN + timedelta(days=3)
    found = measured(shop.root, now=now, since=now - timedelta(days=1)).environments["prod"]
    assert (found.deployments, found.days) == (1, 1.0)
    assert (found.lead_times, found.restores) == ((4 * 3600.0,), (8 * 3600.0,))
    assert measured(shop.root, now=now, since=now - timedelta(hours=3)).environments["prod"].deployments == 0


def test_a_young_history_counts_as_a_day(shop: Shop) -> None:
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    dev = measured(shop.root, now=minutes(20)).environments["dev"]
    assert (dev.deployments, dev.per_day) == (1, 1.0)


def test_figures_of_apps_add_up_to_those_of_the_environment(shop: Shop) -> None:
    way(shop, "1.1.0", begin=0)
    shop.release("2.0.0", at=minutes(30), apps=["shop/app-001"])
    shop.promote("2.0.0", "dev", "staging", at=minutes(90), apps=["shop/app-001"])
    shop.write()
    found = measured(shop.root, now=BEGIN + timedelta(days=1))
    assert {key: one.deployments for key, one in found.apps.items()} == {
        ("dev", APP): 1,
        ("dev", "shop/app-001"): 1,
        ("prod", APP): 1,
        ("staging", APP): 1,
        ("staging", "shop/app-001"): 1,
    }
    assert found.environments["staging"].deployments == 2
    only = measured(shop.root, now=BEGIN + timedelta(days=1), apps=["shop/app-001"])
    assert only.environments["prod"] == Figures(days=1.0)


def test_lead_time_in_a_graph_counts_from_the_first_environment_of_all(tmp_path: Path) -> None:
    regions = {"dev": [], "staging": ["dev"], "eu": ["staging"], "us": ["eu"]}
    shop = Shop(tmp_path, upstreams=regions)
    shop.release("1.1.0", at=minutes(0))
    for source, target, at in (("dev", "staging", 60), ("staging", "eu", 120), ("eu", "us", 300)):
        shop.promote("1.1.0", source, target, at=minutes(at))
    shop.write()
    found = measured(shop.root, now=BEGIN + timedelta(days=1), upstreams=regions).environments
    assert (found["eu"].lead_times, found["us"].lead_times) == ((2 * 3600.0,), (5 * 3600.0,))


def test_argo_cd_says_when_a_release_went_live(shop: Shop) -> None:
    way(shop, "1.1.0", begin=HOUR)
    way(shop, "1.2.0", begin=24 * HOUR)
    shop.rollback("1.1.0", "prod", at=minutes(28 * HOUR + 30))
    marks = shop.write()
    landed = {"1.1.0": 5 * HOUR, "1.2.0": 28 * HOUR, "back": 28 * HOUR + 30}
    syncs = {
        ("prod", APP): (
            Sync(revision=marks[1], deployed_at=BEGIN + timedelta(minutes=1)),
            Sync(revision=marks[4], deployed_at=minutes(landed["1.1.0"] + 2)),
            Sync(revision=marks[7], deployed_at=minutes(landed["1.2.0"] + 4)),
            Sync(revision=marks[8], deployed_at=minutes(landed["back"] + 1)),
            Sync(revision="f" * 40, deployed_at=minutes(0)),
        )
    }
    found = measured(shop.root, now=BEGIN + timedelta(days=4), syncs=syncs)
    prod = found.environments["prod"]
    assert found.argocd
    assert sorted(prod.live_delays) == [120.0, 240.0]
    assert sorted(prod.live_lead_times) == [4 * 3600.0 + 120, 4 * 3600.0 + 240]
    assert prod.live_restores == (27 * 60.0,)


def test_a_sync_whose_forerunners_argo_cd_forgot_says_nothing(shop: Shop) -> None:
    way(shop, "1.1.0", begin=HOUR)
    shop.release("1.2.0", at=minutes(24 * HOUR))
    marks = shop.write()
    later = {("prod", APP): (Sync(revision=marks[5], deployed_at=minutes(25 * HOUR)),)}
    found = measured(shop.root, now=BEGIN + timedelta(days=4), syncs=later)
    assert found.environments["prod"].live_delays == ()


def test_the_syncs_that_argo_cd_remembers_are_read_by_environment_and_app(shop: Shop) -> None:
    shop.write()
    content = {
        "metadata": {"name": "prod-shop-app-000"},
        "status": {
            "history": [
                {"id": 0, "revision": "a" * 40, "deployedAt": "2026-03-02T08:05:00Z"},
                {"id": 1, "revision": "b" * 40, "deployedAt": "no time"},
            ]
        },
    }

    class Hub:
        def read(self, names: Collection[str], /) -> dict[str, AppState]:
            assert sorted(names) == ["prod-cluster", "prod-shop-app-000", "prod-shop-app-001"]
            return {"prod-shop-app-000": parse_application(content)}

    found = read_syncs(Hub(), open_snapshot(shop.root, read_head(shop.root)), environments=["prod"], apps=None)
    assert found == {("prod", APP): (Sync(revision="a" * 40, deployed_at=minutes(5)),)}


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("cartwright")), "promote", "metrics", *words],
        cwd=root,
        env={name: value for name, value in os.environ.items() if name != "KUBECONFIG"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_each_environment_and_app(shop: Shop) -> None:
    way(shop, "1.1.0", begin=0)
    shop.write()
    done = command(shop.root, "--since", "2026-03-02", "--env", "prod", "--per-app")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "environment app deployments per day lead time failed time to restore commit to live"
    assert lines[1].startswith("prod all 1 0.")
    assert lines[1].endswith(" 4h 0 – –")
    assert lines[2].startswith("shop/app-000 1 0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--since", "soon"], "error: 'soon' is not a duration (such as 90s, 10m, 1h30m or 2d)\n"),
        (["--since", "2999-01-01"], "error: --since 2999-01-01 is not in the past\n"),
        (
            ["--argocd"],
            "error: no cluster with Argo CD is known: run `cartwright up`, or give --kubeconfig and --context\n",
        ),
    ],
    ids=["no duration", "future", "no Argo CD"],
)
def test_what_can_not_be_measured_is_refused(shop: Shop, words: list[str], message: str) -> None:
    shop.write()
    done = command(shop.root, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_the_json_has_medians_in_seconds_and_its_version(shop: Shop) -> None:
    way(shop, "1.1.0", begin=0)
    shop.write()
    data = measured(shop.root, now=BEGIN + timedelta(days=2)).to_json()
    assert (data["version"], data["argocd"]) == (1, False)
    prod = data["environments"][-1]
    assert (prod["environment"], prod["deploymentsPerDay"], prod["leadTimeSeconds"]) == ("prod", 0.5, 4 * 3600.0)
    assert prod["live"] == {
        "deployments": 0,
        "delaySeconds": None,
        "leadTimeSeconds": None,
        "timeToRestoreSeconds": None,
    }
    assert [one["app"] for one in prod["apps"]] == [APP]
