"""What was taken out without leave stays in force: before a promotion and in `verify`, which names the commit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.verify import Verification, verify
from cartwright.promotion.intents import ApproveGates, Freeze, Hold, ReleaseHold, Rollback, Unfreeze
from tests.promotion.engine import Engine, git
from tests.promotion.histories import APP, Shop, minutes, overlay, overlay_path

SETTINGS = "environments/staging/environment.yaml"
DECISIONS = "environments/staging/promotion.yaml"
WINDOW = {"reason": "Day", "schedule": "0 8 * * *", "duration": "20h", "timeZone": "UTC"}
ALICE, BOB = "Alice <alice@example.com>", "Bob <bob@example.com>"
APPROVE = ApproveGates(environment="staging", reason="the release has to go out")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def engine(tmp_path: Path, **gates: Any) -> Engine:
    made = Shop(tmp_path / "shop", upstreams={"dev": [], "staging": ["dev"]}, gates={"staging": gates})
    made.release("1.1.0", at=minutes(10))
    made.write()
    return Engine(root=made.root, now=minutes(20))


def write(ours: Engine, path: str, text: str | None, *, at: float, message: str = "Edit") -> str:
    """Commit a file by hand; None removes it. Returns the commit."""
    if text is None:
        (ours.root / path).unlink()
    else:
        (ours.root / path).write_text(text)
    return commit(ours, at=at, message=message)


def commit(ours: Engine, *, at: float, message: str = "Edit", by: str = "Mallory <mallory@example.com>") -> str:
    name, _, address = by.rstrip(">").partition(" <")
    stamp = f"{int(minutes(at).timestamp())} +0000"
    who = {
        f"GIT_{kind}_{what}": value
        for kind in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", address), ("DATE", stamp))
    }
    git(ours.root, "add", "--all")
    git(ours.root, "commit", "--quiet", "--allow-empty", "--message", message, **who)
    return git(ours.root, "rev-parse", "HEAD").strip()


def weaken(ours: Engine, *, at: float, **gates: Any) -> str:
    """Give staging other gates by hand."""
    data = json.loads((ours.root / SETTINGS).read_text())
    for key, value in gates.items():
        (data if key == "upstreams" else data["gates"])[key] = value
    return write(ours, SETTINGS, json.dumps(data, indent=2), at=at)


def stopped(ours: Engine, at: float) -> list[str]:
    result = replace(ours, now=minutes(at)).promote("dev", "staging", dry_run=True)
    return [verdict.code for verdict in result.verdicts if not verdict.passed]


def by_hand(ours: Engine, at: float) -> str:
    """A promotion that somebody made with an engine that asks nothing. Returns the commit."""
    glass = "break-glass, which is taken out of the message again"
    replace(ours, now=minutes(at)).promote("dev", "staging", break_glass=f"Mallory: {glass}", override_hold=glass)
    lines = git(ours.root, "log", "-1", "--format=%B").splitlines()
    kept = [line for line in lines if glass not in line and not line.startswith("Gates:")]
    git(ours.root, "reset", "--soft", "--quiet", "HEAD^")
    return commit(ours, at=at, message="\n".join(kept).strip() + "\nGates: upstream=passed")


def judged(ours: Engine) -> Verification:
    head = read_head(ours.root)
    return verify(open_snapshot(ours.root, head), read_record(ours.root, head.commit, now=minutes(1_000_000)))


def undone(found: Verification) -> list[tuple[str, str]]:
    return [(one.code, one.note.commit) for one in found.undone]


def codes(found: Verification) -> list[list[str]]:
    return [[reason.code for reason in finding.reasons] for finding in found.findings]


# --- holds and freezes ------------------------------------------------------------------------------


def rolled_back(ours: Engine) -> None:
    """1.1.0 came to staging and was rolled back; a hold keeps 1.0.0 for a day."""
    ours.promote("dev", "staging")
    ours.now = minutes(30)
    ours.run(Rollback(app=APP, environment="staging", reason="errors", hold_until=minutes(30 + 24 * 60)))


@pytest.mark.parametrize("way", ["empty", "removed", "shorter", "not YAML"])
def test_a_hold_that_was_taken_out_by_hand_still_holds_and_is_named(tmp_path: Path, way: str) -> None:
    ours = engine(tmp_path)
    rolled_back(ours)
    text = (ours.root / DECISIONS).read_text()
    other = {"empty": "", "removed": None, "shorter": text.replace("2026-03-03", "2026-03-02"), "not YAML": "holds: ["}
    ended = write(ours, DECISIONS, other[way], at=40)
    if way == "not YAML":
        ended_later = write(ours, DECISIONS, "", at=41)
        assert ended_later
    assert stopped(ours, 50) == ["held"]
    by_hand(ours, 60)
    found = judged(ours)
    assert undone(found) == [("hold-ended", ended)]
    assert found.undone[0].sentence == (
        f"{DECISIONS}: it took away the hold of {APP} in staging until 2026-03-03 08:30 UTC by "
        "Platform Team <platform-team@example.com>: errors; `cartwright promote release-hold` ends a hold"
    )
    assert codes(found) == [["held", "hold-ended"]]
    assert found.findings[0].reasons[1].sentence.startswith(f"commit {ended[:12]} let it pass: it took away the hold")


def test_a_revert_of_a_rollback_is_held(tmp_path: Path) -> None:
    ours = engine(tmp_path)
    rolled_back(ours)
    git(ours.root, "revert", "--no-commit", "HEAD")
    reverted = commit(ours, at=40, message="Revert the rollback")
    found = judged(ours)
    assert undone(found) == [("hold-ended", reverted)]
    assert codes(found) == [["hand-edit", "held"]]


def test_a_hold_that_ended_or_was_released_or_renewed_is_no_finding(tmp_path: Path) -> None:
    ours = engine(tmp_path)
    rolled_back(ours)
    ours.now = minutes(40)
    ours.run(ReleaseHold(apps=(APP,), environment="staging", reason="it is fixed"))
    ours.run(Hold(apps=(APP,), environment="staging", reason="sale", until=minutes(50)))
    later = (ours.root / DECISIONS).read_text().replace("08:50", "08:55")
    write(ours, DECISIONS, later, at=45)
    write(ours, DECISIONS, "", at=60)
    assert stopped(ours, 60) == []
    ours.now = minutes(60)
    assert ours.promote("dev", "staging").status == "promoted"
    found = judged(ours)
    assert (undone(found), codes(found)) == ([], [])


def test_a_hold_that_was_taken_out_by_hand_can_be_released(tmp_path: Path) -> None:
    ours = engine(tmp_path)
    rolled_back(ours)
    write(ours, DECISIONS, None, at=40)
    ours.now = minutes(50)
    ours.run(ReleaseHold(apps=(APP,), environment="staging", reason="it is fixed"))
    assert git(ours.root, "show", "--format=", "--name-only", "HEAD") == ""
    assert stopped(ours, 50) == []
    with pytest.raises(UserError, match="has no hold in staging to release"):
        ours.run(ReleaseHold(apps=(APP,), environment="staging", reason="again"))


def test_a_freeze_that_was_taken_out_by_hand_still_freezes_until_it_is_lifted(tmp_path: Path) -> None:
    ours = engine(tmp_path)
    ours.run(Freeze(environment="staging", reason="outage", begin=minutes(20), until=minutes(500)))
    ended = write(ours, DECISIONS, None, at=30)
    assert stopped(ours, 40) == ["freeze-decided"]
    by_hand(ours, 50)
    found = judged(ours)
    assert (undone(found), codes(found)) == ([("freeze-ended", ended)], [["frozen", "freeze-ended"]])
    git(ours.root, "reset", "--hard", "--quiet", "HEAD^")
    ours.now = minutes(60)
    ours.run(Unfreeze(environment="staging", reason="it is over"))
    assert stopped(ours, 60) == []


# --- gates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gates", "weaker", "before", "after"),
    [
        ({"soak": "1h"}, {"soak": "0s"}, ["soak-short"], "soak-short"),
        ({"freezes": [WINDOW]}, {"freezes": []}, ["freeze-window"], "frozen"),
        ({"freezes": [WINDOW]}, {"freezes": [{**WINDOW, "duration": "5m"}]}, ["freeze-window"], "frozen"),
        ({"approvals": 1}, {"approvals": 0}, ["approvals-missing"], "approvals-missing"),
        ({"health": True}, {"health": False}, ["health-missing"], "gate-not-asked"),
        ({"verification": ["smoke"]}, {"verification": []}, ["verification-early"], "gate-not-asked"),
    ],
    ids=["soak", "freeze", "shorter freeze", "approvals", "health", "verification"],
)
def test_gates_that_were_taken_out_and_put_back_stay_in_force(
    tmp_path: Path, gates: dict[str, Any], weaker: dict[str, Any], before: list[str], after: str
) -> None:
    ours = engine(tmp_path, **gates)
    text = (ours.root / SETTINGS).read_text()
    weakened = weaken(ours, at=30, **weaker)
    assert stopped(ours, 35) == before
    by_hand(ours, 40)
    write(ours, SETTINGS, text, at=45)
    found = judged(ours)
    assert undone(found) == [("gates-weakened", weakened)]
    assert codes(found) == [[after, "gates-weakened"]]
    assert found.findings[0].reasons[1].sentence.startswith(f"commit {weakened[:12]} let it pass: staging was asked")


def test_an_upstream_that_was_taken_out_is_still_one(tmp_path: Path) -> None:
    ours = engine(tmp_path)
    weakened = weaken(ours, at=30, upstreams=[])
    (ours.root / overlay_path("staging")).write_text(overlay("6.6.6", environment="staging"))
    commit(ours, at=40, message=Shop.message("6.6.6", "staging", apps=[APP]))
    found = judged(ours)
    assert undone(found) == [("gates-weakened", weakened)]
    assert found.undone[0].sentence.endswith("nobody approved that: upstream dev removed")
    assert codes(found) == [["upstream-other", "gates-weakened"]]


def test_gates_may_be_weaker_once_as_many_approved_that_as_they_wanted(tmp_path: Path) -> None:
    ours = engine(tmp_path, soak="1h", approvals={"count": 2, "distinct": True})
    weaken(ours, at=30, soak="10m", approvals=0)
    ours.now = minutes(31)
    replace(ours, by=ALICE).run(APPROVE)
    replace(ours, by="Mallory <mallory@example.com>").run(APPROVE)
    assert stopped(ours, 35) == ["soak-short", "approvals-missing"], "who weakened them does not count"
    result = replace(ours, by=BOB).run(APPROVE)
    assert result.message is not None and result.message.operation == "approve-gates"
    assert stopped(ours, 35) == []
    ours.now = minutes(35)
    assert ours.promote("dev", "staging").status == "promoted"
    found = judged(ours)
    assert (undone(found), codes(found)) == ([], [])
    with pytest.raises(UserError, match="there is nothing to approve"):
        ours.run(APPROVE)


def test_an_approval_of_gates_counts_for_these_gates_and_once(tmp_path: Path) -> None:
    ours = engine(tmp_path, soak="1h")
    text = (ours.root / SETTINGS).read_text()
    weaken(ours, at=30, soak="10m")
    ours.now = minutes(31)
    ours.run(APPROVE)
    assert stopped(ours, 35) == []
    lower = weaken(ours, at=36, soak="0s")
    write(ours, SETTINGS, text, at=37)
    again = weaken(ours, at=38, soak="10m")
    assert stopped(ours, 39) == ["soak-short"]
    assert undone(judged(ours)) == [("gates-weakened", lower), ("gates-weakened", again)]


def test_gates_that_ask_for_more_need_no_approval(tmp_path: Path) -> None:
    ours = engine(tmp_path, soak="1m")
    weaken(ours, at=30, soak="5m", approvals=1, freezes=[{**WINDOW, "schedule": "0 1 * * *", "duration": "1h"}])
    assert undone(judged(ours)) == []
    assert stopped(ours, 35) == ["approvals-missing"]
