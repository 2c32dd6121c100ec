"""An app's history tells every release and decision with who and why, and marks what was done by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.promotion.audit.timeline import History, read_history
from tests.promotion.histories import APP, CHAIN, WRITER, Shop, digest, minutes


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A release that goes up, is rolled back and held, and a hand edit."""
    shop = Shop(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    gates = {"upstream": "passed", "soak": "passed"}
    shop.promote("1.1.0", "dev", "staging", at=minutes(30), gates=gates, approved_by=(WRITER,), set_name="checkout")
    shop.rollback("1.0.0", "staging", at=minutes(40), reason="orders fail", until=minutes(1480))
    text = f"Hold it\n\nDecision: hold\nEnvironment: staging\nApp: {APP}\nReason: wait\nUntil: 2026-03-03T00:00:00Z\n"
    shop.commit({}, at=minutes(50), message=text)
    shop.commit({}, at=minutes(51), message=text.replace("app-000", "app-001"))
    shop.edit("dev", "1.2.0", at=minutes(60), author="Mallory <mallory@example.com>")
    shop.write()
    return shop


def read(root: Path, *environments: str) -> History:
    record = read_record(root, read_head(root).commit, now=minutes(10_000))
    return read_history(record, APP, environments=environments or list(CHAIN))


def test_every_environment_is_told_newest_first(shop: Shop) -> None:
    assert [(one.environment, one.kind, str(one.pins[0]) if one.pins else "") for one in read(shop.root).entries] == [
        ("dev", "edit", "1.2.0"),
        ("staging", "hold", ""),
        ("staging", "rollback", "1.0.0"),
        ("staging", "promote", "1.1.0"),
        ("dev", "set", "1.1.0"),
        ("staging", "start", "1.0.0"),
        ("prod", "start", "1.0.0"),
        ("dev", "start", "1.0.0"),
    ]


def test_a_promotion_says_from_where_by_whom_and_what_its_gates_said(shop: Shop) -> None:
    (entry,) = (one for one in read(shop.root).entries if one.kind == "promote")
    assert (entry.source, entry.author, entry.set_name) == ("dev", WRITER, "checkout")
    assert dict(entry.gates) == {"upstream": "passed", "soak": "passed"}
    assert (entry.approved_by, entry.time) == ((WRITER,), minutes(30))
    assert [str(pin) for pin in entry.before] == ["1.0.0"]


def test_a_rollback_says_why_and_until_when_it_holds(shop: Shop) -> None:
    (entry,) = (one for one in read(shop.root).entries if one.kind == "rollback")
    assert (entry.reason, entry.until) == ("orders fail", minutes(1480))


def test_a_hand_edit_is_marked(shop: Shop) -> None:
    entry = read(shop.root, "dev").entries[0]
    assert (entry.kind, entry.author) == ("edit", "Mallory <mallory@example.com>")
    assert entry.remark == "the commit has no trailers"


def test_only_the_environments_that_are_asked_for(shop: Shop) -> None:
    assert {one.environment for one in read(shop.root, "prod").entries} == {"prod"}


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("cartwright")), "promote", "history", *words],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_a_table(shop: Shop) -> None:
    done = run(shop.root, "app-000", "--env", "staging")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    ids = subprocess.check_output(["git", "log", "--format=%h", "--abbrev=7"], cwd=shop.root, text=True).split()
    short, name = digest("1.0.0")[7:19], WRITER.partition(" <")[0]
    assert lines == [
        "when (UTC) environment what release by why commit",
        f"2026-03-02 08:50 staging held until 2026-03-03 00:00 – {name} wait {ids[2]}",
        f"2026-03-02 08:40 staging rolled back, held until 2026-03-03 08:40 1.0.0 {short} {name} orders fail {ids[3]}",
        f"2026-03-02 08:30 staging promoted from dev 1.1.0 {digest('1.1.0')[7:19]} {name} set checkout; "
        f"passed upstream, soak; approved by {name} {ids[4]}",
        f"2026-03-02 08:00 staging stood here when history begins 1.0.0 {short} {name} {ids[6]}",
    ]


def test_the_json_is_versioned_and_limit_keeps_the_newest(shop: Shop) -> None:
    data = json.loads(run(shop.root, "shop/app-000", "--limit", "1", "--format", "json").stdout)
    (entry,) = data["entries"]
    assert (data["version"], data["app"], data["cut"]) == (2, APP, None)
    assert (entry["kind"], entry["release"], entry["time"]) == ("edit", "1.2.0", "2026-03-02T09:00:00Z")
    assert entry["before"] == [
        {"image": "ghcr.io/example/cartwright/app-000", "tag": "1.1.0", "digest": digest("1.1.0")}
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ap-000"], "error: no app 'ap-000' (did you mean 'app-000'?)\n"),
        (["app-000", "--env", "prd"], "error: no environment 'prd' (did you mean 'prod'?)\n"),
        (["app-000", "--format", "jsn"], "error: no format 'jsn' (did you mean 'json'?)\n"),
    ],
    ids=["app", "environment", "format"],
)
def test_an_unknown_name_is_refused_with_the_nearest(shop: Shop, words: list[str], message: str) -> None:
    done = run(shop.root, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
