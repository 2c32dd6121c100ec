"""The matrix says what runs, what waits, which gate stops it, and when it could go."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.promote import write_promoted_repository
from cartwright.history.git import read_head
from cartwright.history.releasetree import render_kustomization
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel import run as run_module
from cartwright.promotion.argo import AppState, UnknownHealthError
from cartwright.promotion.audit.matrix import Matrix, Waiting, read_matrix
from cartwright.promotion.evidence import Sources
from cartwright.promotion.plan import Context
from tests.promotion.histories import APP, BEGIN, Shop, digest, minutes

WINDOW = {"reason": "Weekend", "schedule": "0 16 * * 5", "duration": "64h", "timeZone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("NO_COLOR", "1")


class _NoHub:
    def read(self, names: Collection[str]) -> Mapping[str, AppState]:
        raise UnknownHealthError(f"nobody was asked for {', '.join(names)}")


def _no_signatures(image: str, *, key: Path) -> None:
    raise AssertionError("the matrix asks for no signature")


def seen(root: Path, *, now: datetime) -> Matrix:
    context = Context(snapshot=open_snapshot(root, read_head(root)), by="", now=now)
    return read_matrix(context, Sources(health=_NoHub(), signatures=_no_signatures))


def waiting(matrix: Matrix, environment: str, app: str = APP) -> Waiting:
    (one,) = matrix.apps[app][environment].waiting
    return one


def blocked(one: Waiting) -> list[tuple[str, str]]:
    return [(verdict.gate, verdict.code) for verdict in one.blocked]


def test_what_runs_and_since_when(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    marks = shop.write()
    found = seen(shop.root, now=minutes(20))
    dev, prod = found.apps[APP]["dev"], found.apps[APP]["prod"]
    assert (str(dev.running.pins[0]), dev.running.since, dev.running.commit) == ("1.1.0", minutes(10), marks[2])
    assert (str(prod.running.pins[0]), prod.running.since, prod.waiting) == ("1.0.0", BEGIN, ())
    assert found.environments == ("dev", "staging", "prod")
    assert list(found.apps) == [APP, "shop/app-001"]


def test_a_release_that_may_go_is_said_to(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    one = waiting(seen(shop.root, now=minutes(20)), "staging")
    assert (one.source, str(one.pins[0]), one.since) == ("dev", "1.1.0", minutes(10))
    assert (blocked(one), one.next_time) == ([], None)


def test_a_soak_says_when_it_is_over(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"staging": {"soak": "1h"}})
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    one = waiting(seen(shop.root, now=minutes(20)), "staging")
    assert (blocked(one), one.next_time) == ([("soak", "soak-short")], minutes(70))
    assert one.blocked[0].sentence == "1.1.0 has run in dev for 10m of the 1h that staging asks for"
    assert blocked(waiting(seen(shop.root, now=minutes(70)), "staging")) == []


def test_a_soak_that_ends_within_a_freeze_goes_when_the_freeze_is_over(tmp_path: Path) -> None:
    friday = BEGIN + timedelta(days=4)
    shop = Shop(tmp_path, gates={"staging": {"soak": "4h", "freezes": [WINDOW]}})
    shop.release("1.1.0", at=friday.replace(hour=13))
    shop.write()
    one = waiting(seen(shop.root, now=friday.replace(hour=14)), "staging")
    assert blocked(one) == [("soak", "soak-short")]
    assert one.next_time == datetime(2026, 3, 9, 7, 0, tzinfo=UTC), "Monday at eight in Berlin"


def test_what_only_an_event_opens_has_no_next_time(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"staging": {"soak": "1h", "health": True, "approvals": 1}})
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    one = waiting(seen(shop.root, now=minutes(20)), "staging")
    assert blocked(one) == [("soak", "soak-short"), ("health", "health-unknown"), ("approvals", "approvals-missing")]
    assert one.next_time is None


def test_a_hold_stops_its_app_alone(tmp_path: Path) -> None:
    schema = Path("environments/promotion.schema.json")
    shop = Shop(tmp_path, extra={str(schema): schema.read_text(encoding="utf-8")})
    shop.release("1.1.0", at=minutes(10), apps=[APP, "shop/app-001"])
    hold = {"app": APP, "reason": "errors", "by": "Platform Team", "until": "2026-03-02T12:00:00Z"}
    shop.commit({"environments/staging/promotion.yaml": json.dumps({"holds": [hold]})}, at=minutes(11))
    shop.write()
    found = seen(shop.root, now=minutes(20))
    held = waiting(found, "staging")
    assert (blocked(held), held.next_time) == ([("hold", "held")], BEGIN + timedelta(hours=4))
    assert blocked(waiting(found, "staging", "shop/app-001")) == []


def test_an_environment_with_two_upstreams_waits_for_both(tmp_path: Path) -> None:
    shop = Shop(tmp_path, upstreams={"dev": [], "eu": ["dev"], "us": ["eu"], "archive": ["eu", "us"]})
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "eu", at=minutes(20))
    shop.write()
    found = seen(shop.root, now=minutes(30))
    one = waiting(found, "archive")
    assert (one.source, blocked(one)) == ("eu", [("upstream", "upstream-other")])
    assert one.blocked[0].sentence.startswith("us runs 1.0.0 of shop/app-000, not 1.1.0")
    assert blocked(waiting(found, "us")) == []


def test_images_that_only_the_target_pins_are_its_own_business(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    path = f"environments/staging/{APP}/kustomization.yaml"
    own = f"images:\n- {{name: sidecar, newTag: '2', digest: '{digest('2')}'}}\n"
    own += f"- {{name: ghcr.io/example/cartwright/app-000, newTag: 1.0.0, digest: '{digest('1.0.0')}'}}\n"
    shop.commit({path: own}, at=minutes(5))
    shop.write()
    assert seen(shop.root, now=minutes(20)).apps[APP]["staging"].waiting == ()


def command(root: Path, *words: str, name: str = "matrix") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("cartwright")), "promote", name, *words],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_the_table_then_what_waits_and_why(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"prod": {"approvals": 1}})
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    shop.write()
    done = command(shop.root, "--waiting")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "app dev staging prod"
    assert lines[1].startswith("shop/app-000 1.1.0 · ")
    assert lines[2] == "← 1.1.0"
    assert lines[4].startswith("shop/app-000: 1.1.0 waits in staging since ")
    assert lines[4].endswith(" for prod")
    assert lines[5].startswith("approvals: 0 of 1 approvals: ")
    assert lines[6] == "1 app in 3 environments, 1 waiting"


def test_what_pins_no_image_goes_by_its_release(tmp_path: Path) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    begin = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
    files = {
        "clusters/base/kustomization.yaml": f"{begin}  - namespace.yaml\n",
        "clusters/base/namespace.yaml": namespace,
        "clusters/dev/kustomization.yaml": f"{begin}  - ../base\n",
        "clusters/staging/kustomization.yaml": f"{begin}  - release\n",
        "clusters/staging/release/kustomization.yaml": render_kustomization(["clusters/base"], []),
        "clusters/staging/release/clusters/base/kustomization.yaml": f"{begin}  - namespace.yaml\n",
        "clusters/staging/release/clusters/base/namespace.yaml": namespace,
    }
    shop = Shop(tmp_path, extra=files)
    shop.commit({"clusters/base/namespace.yaml": f"{namespace}# ours\n"}, at=minutes(10))
    shop.write()
    here = seen(shop.root, now=minutes(20)).apps["cluster"]["staging"]
    release = (here.running.tree or "")[:12]
    assert (len(release), here.waiting[0].since) == (12, minutes(10))
    comes = here.waiting[0].name
    assert re.fullmatch(r"release [0-9a-f]{12}", comes) and comes != f"release {release}"
    lines = [re.split(r"  +", line.strip()) for line in command(shop.root).stdout.splitlines()]
    cells = next(line for line in lines if line[0] == "cluster")
    assert [cell.partition(" · ")[0] for cell in cells] == [
        "cluster",
        "follows main",
        f"release {release}",
        "follows main",
    ]
    assert [f"← {comes}"] in lines
    history = command(shop.root, "cluster", name="history").stdout
    assert [
        line.split("begins")[1].split("Platform")[0].strip() for line in history.splitlines() if "begins" in line
    ] == [
        f"release {release}",
        "follows main",
        "follows main",
    ]


def test_the_json_is_versioned_and_says_ready_or_blocked(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"prod": {"approvals": 1}})
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    shop.release("1.2.0", at=minutes(30))
    shop.write()
    data = json.loads(command(shop.root, "app-000", "--format", "json").stdout)
    assert (data["version"], data["environments"], len(data["apps"])) == (2, ["dev", "staging", "prod"], 1)
    dev, staging, prod = data["apps"][0]["cells"]
    assert (dev["release"], dev["since"], dev["waiting"]) == ("1.2.0", "2026-03-02T08:30:00Z", [])
    assert [(one["from"], one["release"], one["ready"]) for one in staging["waiting"]] == [("dev", "1.2.0", True)]
    assert [(one["ready"], one["blocked"][0]["code"]) for one in prod["waiting"]] == [(False, "approvals-missing")]


def test_the_number_of_processes_does_not_grow_with_apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    popen = subprocess.Popen

    def counting(words: list[str], **options: object) -> object:
        started.append(" ".join(words[:3]))
        return popen(words, **options)  # type: ignore[call-overload]

    counts = []
    for apps in (3, 60):
        root = tmp_path / str(apps)
        write_promoted_repository(root, apps=apps, commits=apps * 10)
        started.clear()
        with monkeypatch.context() as patch:
            patch.setattr(run_module.subprocess, "Popen", counting)
            found = seen(root, now=datetime(2026, 1, 1, tzinfo=UTC))
        assert len(found.apps) == apps
        assert any(cell.waiting for cells in found.apps.values() for cell in cells.values())
        counts.append(len(started))
    assert counts[0] == counts[1] <= 7
