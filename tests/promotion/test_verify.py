"""`promote verify` finds whatever came past the gates, names who and what, and lets honest changes through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.history.trailers import parse
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.timeline import read_history
from cartwright.promotion.audit.verify import Verification, verify
from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import Promote, Rollback
from cartwright.promotion.land.deliver import deliver
from cartwright.promotion.land.worktree import WorkTree
from tests.promotion.engine import Engine, FakeHub, git
from tests.promotion.histories import APP, BEGIN, Shop, digest, minutes, overlay, overlay_path

pytestmark = pytest.mark.slow

SOAK = {"staging": {"soak": "10m"}, "prod": {"soak": "1h"}}
MALLORY = "Mallory <mallory@example.com>"
SCHEMAS = {
    path: Path(path).read_text(encoding="utf-8")
    for path in ("environments/record.schema.json", "environments/promotion.schema.json")
}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def make(folder: Path, **options: object) -> Shop:
    return Shop(folder, **{"gates": SOAK, "extra": SCHEMAS, **options})  # type: ignore[arg-type]


def judged(root: Path) -> Verification:
    head = read_head(root)
    return verify(open_snapshot(root, head), read_record(root, head.commit, now=minutes(1_000_000)))


def codes(found: Verification) -> list[Sequence[str]]:
    return [tuple(reason.code for reason in finding.reasons) for finding in found.findings]


def notices(found: Verification) -> list[str]:
    return [notice.code for notice in found.notices]


def sentences(found: Verification) -> str:
    return "\n".join(reason.sentence for finding in found.findings for reason in finding.reasons)


def honest(shop: Shop, tag: str = "1.1.0", *, begin: float = 0) -> None:
    """A release that takes its way."""
    shop.release(tag, at=minutes(begin + 10))
    shop.promote(tag, "dev", "staging", at=minutes(begin + 20))
    shop.promote(tag, "staging", "prod", at=minutes(begin + 80))


def test_a_release_that_takes_its_way_passes_and_the_beginning_is_trusted(tmp_path: Path) -> None:
    shop = make(tmp_path)
    honest(shop)
    marks = shop.write()
    found = judged(shop.root)
    assert (found.findings, found.notices, found.judged, found.trusted) == ((), (), 2, 4)
    assert found.environments == ("staging", "prod")
    assert found.begin == f"what the history begins with, commit {marks[1][:7]} of {BEGIN:%Y-%m-%d}, is taken as it was"


def test_a_hand_edit_is_found_with_commit_author_file_and_what_it_changed(tmp_path: Path) -> None:
    shop = make(tmp_path)
    honest(shop)
    mark = shop.edit("prod", "6.6.6", at=minutes(200), author=MALLORY)
    marks = shop.write()
    (finding,) = judged(shop.root).findings
    event = finding.event
    assert (event.commit, event.note.author, event.file) == (marks[mark], MALLORY, overlay_path("prod"))
    assert [str(pin) for pin in (*(event.before or ()), *(event.after or ()))] == ["1.1.0", "6.6.6"]
    assert [reason.code for reason in finding.reasons] == ["hand-edit", "upstream-other"]
    assert finding.reasons[0].sentence == "it was made by hand: the commit has no trailers"
    assert finding.reasons[1].sentence == f"staging ran 1.1.0 then, not 6.6.6 ({digest('6.6.6')[7:19]})"


def test_a_hand_edit_in_the_first_environment_is_a_build_like_any_other(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.edit("dev", "1.1.0", at=minutes(5), author=MALLORY)
    shop.write()
    found = judged(shop.root)
    assert (found.findings, found.judged) == ((), 0)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("Sneak it in\n", "the commit has no trailers"),
        (
            Shop.message("1.0.1", "prod", apps=[APP], source="staging"),
            "the trailers say 1.0.1, " + digest("1.0.1")[:19] + " and the overlay 1.1.0, " + digest("1.1.0")[:19],
        ),
        (
            Shop.message("1.1.0", "staging", apps=[APP], source="dev"),
            "the trailers do not tell of shop/app-000 in prod",
        ),
        (
            Shop.message("1.1.0", "prod", apps=["shop/app-001"], source="staging"),
            "the trailers do not tell of shop/app-000 in prod",
        ),
        (
            f"x\n\nApproves: prod\nApp: {APP}\nRelease: 1.1.0\nDigest: {digest('1.1.0')}\n",
            "the trailers tell of a approve, not of a release",
        ),
    ],
    ids=["none", "another release", "another environment", "another app", "another operation"],
)
def test_the_tree_of_a_release_counts_where_the_trailers_do_not_fit_it(tmp_path: Path, text: str, doubt: str) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    shop.edit("prod", "1.1.0", at=minutes(200), message=text)
    shop.write()
    found = judged(shop.root)
    assert codes(found) == []
    assert [(one.code, one.sentence) for one in found.notices] == [
        (
            "no-trailers",
            f"1.1.0 of {APP} in prod is what its upstreams ran; the message does not tell: {doubt}",
        )
    ]


@pytest.mark.parametrize(("after", "expected"), [(600, []), (599, [("soak-short",)])], ids=["at 10m", "at 9m59s"])
def test_the_soak_is_counted_to_the_second(tmp_path: Path, after: int, expected: list[Sequence[str]]) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(10) + timedelta(seconds=after))
    shop.write()
    assert codes(judged(shop.root)) == expected


def test_a_release_that_its_upstream_has_left_again_did_not_come_through(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.release("1.2.0", at=minutes(30))
    shop.promote("1.1.0", "dev", "staging", at=minutes(60))
    shop.write()
    found = judged(shop.root)
    assert codes(found) == [("upstream-other",)]
    assert sentences(found) == f"dev ran 1.2.0 then, not 1.1.0 ({digest('1.1.0')[7:19]})"


def test_one_commit_cannot_bring_a_release_to_two_environments(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.commit(
        {overlay_path("dev"): overlay("1.1.0"), overlay_path("staging"): overlay("1.1.0", environment="staging")},
        at=minutes(5),
        message=Shop.message("1.1.0", "staging", apps=[APP], source="dev"),
    )
    shop.write()
    assert codes(judged(shop.root)) == [("upstream-other",)]


def test_a_tag_with_another_digest_is_another_release(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.commit(
        {overlay_path("staging"): overlay("1.1.0", pinned=digest("evil"), environment="staging")}, at=minutes(60)
    )
    shop.write()
    assert codes(judged(shop.root)) == [("hand-edit", "upstream-other")]


def test_a_release_without_digest_says_nothing_of_what_ran(tmp_path: Path) -> None:
    shop = make(tmp_path)
    text = "\n".join(line for line in overlay("1.1.0").splitlines() if "digest" not in line)
    shop.commit({overlay_path("dev"): text}, at=minutes(5))
    shop.commit({overlay_path("staging"): text}, at=minutes(60))
    shop.write()
    assert codes(judged(shop.root)) == [("hand-edit", "no-digest")]


def test_gates_count_as_they_stood_before_the_commit(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    settings = "environments/staging/environment.yaml"
    shop.commit(
        {
            overlay_path("staging"): overlay("1.1.0", environment="staging"),
            settings: shop.environment("staging", soak="0s"),
        },
        at=minutes(11),
        message=Shop.message("1.1.0", "staging", apps=[APP], source="dev"),
    )
    shop.release("1.2.0", at=minutes(20))
    shop.promote("1.2.0", "dev", "staging", at=minutes(20))
    shop.commit({settings: shop.environment("staging", soak="30d")}, at=minutes(30))
    shop.write()
    found = judged(shop.root)
    first, second = codes(found)
    assert first == ("soak-short",), "a soak that is taken away with the same commit still counts"
    assert second == ("soak-short", "gates-weakened"), "and so it does later: nobody approved that it went"
    assert [one.code for one in found.undone] == ["gates-weakened"]
    assert notices(found) == ["gates-changed"]


def test_a_freeze_is_read_in_its_own_time_zone(tmp_path: Path) -> None:
    window = {"reason": "Weekend", "schedule": "0 16 * * 5", "duration": "64h", "timeZone": "Europe/Berlin"}
    friday = BEGIN + timedelta(days=4)
    opens = friday.replace(hour=15)  # 16:00 in Berlin, in winter
    for number, (moment, expected) in enumerate([(opens - timedelta(seconds=1), []), (opens, [("frozen",)])]):
        shop = make(tmp_path / str(number), gates={"prod": {"freezes": [window]}})
        shop.release("1.1.0", at=minutes(1))
        shop.promote("1.1.0", "dev", "staging", at=minutes(2))
        shop.promote("1.1.0", "staging", "prod", at=moment)
        shop.write()
        assert codes(judged(shop.root)) == expected


DECISIONS = "environments/prod/promotion.yaml"


def test_a_freeze_and_a_hold_that_people_decided_count_while_they_last(tmp_path: Path) -> None:
    until = "2026-03-02T12:00:00Z"
    hold = {"app": APP, "reason": "errors", "by": "Platform Team", "until": until}
    freeze = {"reason": "audit", "by": "Platform Team", "from": "2026-03-02T08:00:00Z", "until": until}
    for number, (content, at, expected) in enumerate(
        [
            ({"holds": [hold]}, 90, [("held",)]),
            ({"freezes": [freeze]}, 90, [("frozen",)]),
            ({"holds": [{**hold, "app": "shop/app-001"}]}, 90, []),
            ({"holds": [hold], "freezes": [freeze]}, 240, []),
        ]
    ):
        shop = make(tmp_path / str(number))
        shop.release("1.1.0", at=minutes(10))
        shop.promote("1.1.0", "dev", "staging", at=minutes(20))
        shop.commit({DECISIONS: json.dumps(content)}, at=minutes(25))
        shop.promote("1.1.0", "staging", "prod", at=minutes(at))
        shop.write()
        assert codes(judged(shop.root)) == expected, content


def test_a_hold_may_be_passed_over_with_a_reason_that_is_shown(tmp_path: Path) -> None:
    hold = {"app": APP, "reason": "errors", "by": "Platform Team", "until": "2026-03-09T12:00:00Z"}
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    shop.commit({DECISIONS: json.dumps({"holds": [hold]})}, at=minutes(25))
    gates = {"upstream": "passed", "hold": "held"}
    shop.promote("1.1.0", "staging", "prod", at=minutes(90), gates=gates, override_hold="mended in 1.1.0")
    shop.write()
    found = judged(shop.root)
    assert (codes(found), notices(found)) == ([], ["hold-overridden"])


def test_break_glass_needs_a_name_and_a_reason_and_is_shown(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "prod", at=minutes(11), break_glass="Platform Team: payments are down")
    shop.promote("1.1.0", "dev", "staging", at=minutes(12), break_glass="because")
    shop.write()
    found = judged(shop.root)
    assert codes(found) == [("break-glass-unnamed",)]
    assert notices(found) == ["break-glass"]
    assert "by break-glass: Platform Team: payments are down" in found.notices[0].sentence


def test_a_gate_that_its_own_trailers_say_did_not_pass_did_not(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(30), gates={"soak": "passed", "health": "health-unknown"})
    shop.write()
    assert codes(judged(shop.root)) == [("gate-not-passed",)]


def test_a_rollback_goes_to_a_release_that_ran_there(tmp_path: Path) -> None:
    shop = make(tmp_path)
    honest(shop)
    shop.rollback("1.0.0", "prod", at=minutes(100))
    shop.rollback("0.9.0", "prod", at=minutes(110))
    shop.write()
    found = judged(shop.root)
    assert codes(found) == [("rollback-unknown",)]
    assert sentences(found) == "prod had never run 0.9.0"


def test_a_revert_by_hand_is_shown_and_no_offence(tmp_path: Path) -> None:
    shop = make(tmp_path)
    honest(shop)
    shop.edit("prod", "1.0.0", at=minutes(100), message='Revert "Move 1.1.0 to prod"\n')
    shop.write()
    found = judged(shop.root)
    assert (codes(found), notices(found)) == ([], ["returned-by-hand"])


def test_an_app_that_is_written_into_every_environment_passed_no_gate(tmp_path: Path) -> None:
    shop = make(tmp_path)
    app = "shop/fresh"
    shop.commit({overlay_path(name, app): overlay("0.1.0", app) for name in shop.upstreams}, at=minutes(5))
    shop.commit({overlay_path("prod", app): None}, at=minutes(6))
    shop.commit({overlay_path("prod", app): overlay("6.6.6", app, environment="prod")}, at=minutes(7))
    shop.write()
    found = judged(shop.root)
    assert [one.event.environment for one in found.findings] == ["prod", "staging", "prod"]
    by_hand = ("hand-edit", "upstream-other")
    assert codes(found) == [by_hand, by_hand, (*by_hand, "upstream-unproven")]
    assert notices(found) == ["removed"]


def test_an_overlay_that_moves_as_it_is_passes_and_one_that_changes_on_the_way_does_not(tmp_path: Path) -> None:
    shop = make(tmp_path)
    prod = "environments/prod"
    shop.commit(shop.folder_moved(f"{prod}/{APP}", f"{prod}/web/app-000"), at=minutes(5))
    again = shop.folder_moved(f"{prod}/{APP}", f"{prod}/api/app-000")
    changed = {overlay_path("prod", "api/app-000"): overlay("6.6.6", environment="prod")}
    shop.commit({**again, f"{prod}/web/app-000": None, **changed}, at=minutes(6))
    shop.write()
    found = judged(shop.root)
    assert [finding.event.app for finding in found.findings] == ["api/app-000"]


def test_an_overlay_that_can_not_be_read_is_a_finding(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.commit({overlay_path("prod"): "images: 7\n"}, at=minutes(5))
    shop.write(checkout=False)
    found = judged(shop.root)
    assert codes(found) == [("unreadable",)]


ALICE, BOB = "Alice <alice@example.com>", "Bob <bob@example.com>"
ROSTER = "# who may approve\n* alice@example.com\n"


def approval(tag: str, environment: str = "prod") -> str:
    return f"Approve\n\nApproves: {environment}\nApp: {APP}\nRelease: {tag}\nDigest: {digest(tag)}\n"


@pytest.mark.parametrize(
    ("approvals", "expected"),
    [
        ([(approval("1.1.0"), ALICE)], []),
        ([(approval("1.1.0"), BOB)], [("approvals-missing",)]),
        ([(approval("1.0.0"), ALICE)], [("approvals-missing",)]),
        ([(approval("1.1.0", "staging"), ALICE)], [("approvals-missing",)]),
        ([], [("approvals-missing",)]),
    ],
    ids=["the one who may", "somebody else", "another release", "another environment", "nobody"],
)
@pytest.mark.parametrize("roster", ["environments/approvers", "OWNERS"])
def test_approvals_are_by_those_who_might_and_for_these_digests(
    tmp_path: Path, approvals: list[tuple[str, str]], expected: list[Sequence[str]], roster: str
) -> None:
    gates = {"prod": {"approvals": {"count": 1, "from": roster}}}
    shop = make(tmp_path, gates=gates, extra={**SCHEMAS, roster: ROSTER})
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    for text, author in approvals:
        shop.commit({}, at=minutes(25), message=text, author=author)
    # The trailer claims it in every case: a claim is not an approval.
    shop.promote("1.1.0", "staging", "prod", at=minutes(30), approved_by=(ALICE,))
    shop.write()
    assert codes(judged(shop.root)) == expected


def test_whoever_adds_themselves_to_the_approvers_in_the_same_commit_does_not_count(tmp_path: Path) -> None:
    roster = "environments/approvers"
    shop = make(
        tmp_path, gates={"prod": {"approvals": {"count": 1, "from": roster}}}, extra={**SCHEMAS, roster: ROSTER}
    )
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    shop.commit(
        {overlay_path("prod"): overlay("1.1.0", environment="prod"), roster: "* mallory@example.com\n"},
        at=minutes(30),
        author=MALLORY,
        message=Shop.message("1.1.0", "prod", apps=[APP], source="staging", approved_by=(MALLORY,)),
    )
    shop.write()
    assert codes(judged(shop.root)) == [("approvals-missing",)]


RECORD = "environments/record.yaml"


def test_a_baseline_trusts_what_ran_when_it_was_committed_and_names_who_set_it(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.edit("prod", "5.0.0", at=minutes(5), author=MALLORY)
    base = shop.commit({RECORD: "baseline: {reason: Built up by hand}\n"}, at=minutes(10), author=ALICE)
    shop.edit("prod", "6.0.0", at=minutes(15), author=MALLORY)
    marks = shop.write()
    found = judged(shop.root)
    assert [str((finding.event.after or ())[0]) for finding in found.findings] == ["6.0.0"]
    assert found.trusted == 5
    where = f"commit {marks[base][:7]} by {ALICE}, the baseline of {RECORD}"
    assert found.begin == f"what ran at {where}, is taken as it was: Built up by hand"


def test_a_baseline_can_not_be_moved_over_a_later_change(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.commit({RECORD: "baseline: {reason: Built up by hand}\n"}, at=minutes(10))
    shop.edit("prod", "6.6.6", at=minutes(15), author=MALLORY)
    shop.commit({RECORD: None}, at=minutes(20), author=MALLORY)
    shop.commit({RECORD: "baseline: {reason: Trust me}\n"}, at=minutes(25), author=MALLORY)
    shop.write()
    found = judged(shop.root)
    assert codes(found) == [("hand-edit", "upstream-other")]
    assert "Built up by hand" in found.begin


def test_a_commit_that_somebody_answers_for_is_listed_and_does_not_fail(tmp_path: Path) -> None:
    shop = make(tmp_path)
    mark = shop.edit("prod", "6.6.6", at=minutes(15), author=MALLORY)
    commit = shop.write()[mark]
    text = f"accepted: [{{commit: {commit}, reason: outage, by: Platform Team}}]\n"
    shop.commit({RECORD: text}, at=minutes(20))
    shop.write()
    found = judged(shop.root)
    assert found.findings == ()
    assert [finding.accepted for finding in found.accepted] == ["Platform Team: outage"]


def test_a_misspelt_record_file_is_refused_with_its_line(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.commit({RECORD: "baseline: {reason: x}\naccepts: []\n"}, at=minutes(5))
    shop.write()
    with pytest.raises(UserError) as caught:
        judged(shop.root)
    assert str(caught.value) == f"{RECORD}:2: unknown key 'accepts' (did you mean 'accepted'?)"


REGIONS = {
    "dev": [],
    "staging": ["dev"],
    "eu": ["staging"],
    "us": ["eu"],
    "archive": ["eu", "us"],
}


def test_an_environment_with_two_upstreams_needs_both(tmp_path: Path) -> None:
    shop = make(tmp_path, upstreams=REGIONS, gates={"archive": {"soak": "30m"}})
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(20))
    shop.promote("1.1.0", "staging", "eu", at=minutes(30))
    early = shop.promote("1.1.0", "eu", "archive", at=minutes(70))
    shop.promote("1.1.0", "eu", "us", at=minutes(80))
    shop.rollback("1.0.0", "archive", at=minutes(85))
    short = shop.promote("1.1.0", "us", "archive", at=minutes(100))
    shop.rollback("1.0.0", "archive", at=minutes(105))
    shop.promote("1.1.0", "us", "archive", at=minutes(111))
    marks = shop.write()
    found = judged(shop.root)
    assert [(finding.event.commit, finding.reasons[0].code) for finding in found.findings] == [
        (marks[early], "upstream-other"),
        (marks[short], "soak-short"),
    ]
    assert sentences(found).splitlines()[-1] == "us had run it for 20m of the 30m that archive asked for"


def test_a_clock_that_was_a_day_ahead_makes_no_honest_promotion_a_finding(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10) + timedelta(days=1), apps=["shop/app-001"])
    honest(shop, begin=10)
    shop.write()
    assert codes(judged(shop.root)) == []


@pytest.mark.parametrize(
    ("later", "expected"),
    [(85, [("soak-short",)]), (30 * 24 * 60, []), (-24 * 60, [])],
    ids=["a commit that contradicts it", "nothing contradicts it", "a commit whose own clock is a day behind"],
)
def test_a_promotion_that_is_dated_hours_ahead_passes_no_soak_by_that(
    tmp_path: Path, later: float, expected: list[Sequence[str]]
) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(30))
    # Made at minute 80, ten minutes before the soak ends, and dated two hours later.
    shop.promote("1.1.0", "staging", "prod", at=minutes(200))
    shop.commit({"README.md": "later\n"}, at=minutes(later))
    shop.write()
    assert codes(judged(shop.root)) == expected


def test_a_promotion_that_is_dated_after_now_is_judged_by_now(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(30))
    shop.promote("1.1.0", "staging", "prod", at=minutes(200))
    shop.write()
    head = read_head(shop.root)
    found = verify(open_snapshot(shop.root, head), read_record(shop.root, head.commit, now=minutes(80)))
    assert codes(found) == [("soak-short",)]
    assert sentences(found) == "staging had run it for 50m of the 1h that prod asked for"


def test_a_merge_is_judged_when_it_lands_and_the_commit_on_its_side_is_named(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    side = shop.history.commit(
        {overlay_path("staging"): overlay("6.6.6", environment="staging")},
        message="Try it\n",
        at=int(minutes(12).timestamp()),
        author=MALLORY,
        branch="side",
        start=1,
    )
    merge = shop.edit("staging", "6.6.6", at=minutes(60), message="Merge branch 'side'\n", merge=[side])
    marks = shop.write()
    (finding,) = judged(shop.root).findings
    assert (finding.event.note.commit, finding.event.note.author) == (marks[side], MALLORY)
    assert finding.event.commit == marks[merge]


def test_what_the_engine_itself_commits_passes(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    engine = Engine(root=shop.root, now=minutes(30))
    assert engine.promote("dev", "staging").status == "promoted"
    engine.now = minutes(120)
    assert engine.promote("staging", "prod").status == "promoted"
    engine.now = minutes(150)
    back = Rollback(app=APP, environment="prod", reason="errors", hold_until=minutes(300))
    assert engine.run(back).status == "promoted"
    engine.now = minutes(160)
    glass = engine.promote("staging", "prod", break_glass="Platform Team: payments are down")
    assert glass.status == "promoted"
    found = judged(shop.root)
    assert (codes(found), found.judged, notices(found)) == ([], 4, ["break-glass"])


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("cartwright")), "promote", *words],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_ends_with_1_and_names_commit_author_file_and_change(tmp_path: Path) -> None:
    shop = make(tmp_path)
    honest(shop)
    mark = shop.edit("prod", "6.6.6", at=minutes(200), author=MALLORY)
    commit = shop.write()[mark]
    done = command(shop.root, "verify")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[0] == (
        f"{overlay_path('prod')}: commit {commit[:12]} by {MALLORY}, 2026-03-02 11:20 UTC, "
        f"changed {APP} in prod from 1.1.0 to 6.6.6"
    )
    assert done.stdout.splitlines()[-1] == "1 change of 3 did not come through the gates of staging, prod"
    data = json.loads(command(shop.root, "verify", "--format", "json").stdout)
    assert (data["version"], data["judged"], data["trusted"]) == (1, 3, 4)
    assert data["findings"][0]["commit"] == commit
    assert [reason["code"] for reason in data["findings"][0]["reasons"]] == ["hand-edit", "upstream-other"]


def test_the_command_ends_with_0_where_all_came_through(tmp_path: Path) -> None:
    shop = make(tmp_path)
    honest(shop)
    shop.write()
    done = command(shop.root, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "2 changes in staging, prod: all came through their gates"


def test_a_shallow_clone_is_refused_with_the_command_that_completes_it(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.edit("prod", "6.6.6", at=minutes(200), author=MALLORY)
    last = shop.commit({"README.md": "later\n"}, at=minutes(201))
    commit = shop.write()[last]
    git(tmp_path, "clone", "--quiet", "--depth", "1", shop.root.as_uri(), "shallow")
    for form in ("text", "json"):
        done = command(tmp_path / "shallow", "verify", "--format", form)
        assert done.returncode == 2
        assert bool(done.stdout) == (form == "json")
        assert " ".join(done.stderr.split()) == (
            f"error: this clone is shallow: its history is cut at commit {commit[:7]}, and nothing before it can be "
            "judged (git fetch --unshallow; in CI fetch all of it (fetch-depth: 0))"
        )


def test_a_promotion_is_dated_at_the_moment_its_gates_were_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = {"reason": "Night", "schedule": "0 9 * * *", "duration": "8h", "timeZone": "UTC"}
    shop = make(tmp_path, gates={"staging": {"freezes": [window]}})
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    # The gates are asked a second before the freeze, and the commit is written after it began.
    judged_at = minutes(60) - timedelta(milliseconds=300)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Release Team")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "release@example.com")
        monkeypatch.setenv(f"GIT_{who}_DATE", f"{int(minutes(61).timestamp())} +0000")
    result = deliver(
        shop.root,
        Promote(source="dev", target="staging", apps=(APP,)),
        destination=WorkTree(root=shop.root),
        sources=Sources(health=FakeHub(), signatures=unasked),
        clock=lambda: judged_at,
    )
    assert result.status == "promoted"
    assert git(shop.root, "log", "-1", "--format=%ct %at").split() == [str(int(judged_at.timestamp()))] * 2
    assert codes(judged(shop.root)) == []


def unasked(image: str, *, key: Path) -> None:
    raise AssertionError(f"{image} was asked for its signature, {key}")


# --- requests that a forge squashed or merged ---------------------------------------------------------


def squashed(title: str, *messages: str) -> str:
    """What a forge makes of several commits."""
    return "\n\n".join([title, *(f"* {one.strip()}" for one in messages)]) + "\n"


def test_a_squash_that_carries_two_promotions_is_read_as_two(tmp_path: Path) -> None:
    made, other = make(tmp_path), "shop/app-001"
    made.release("1.1.0", at=minutes(10))
    made.release("1.2.0", at=minutes(11), apps=[other])
    passed = {"upstream": "passed", "soak": "passed"}
    messages = [
        made.message(tag, "staging", apps=[app], source="dev", gates=passed)
        for tag, app in (("1.1.0", APP), ("1.2.0", other))
    ]
    files = {
        overlay_path("staging", APP): overlay("1.1.0", APP, environment="staging"),
        overlay_path("staging", other): overlay("1.2.0", other, environment="staging"),
    }
    made.commit(files, at=minutes(60), message=squashed("Two of them (#7)", *messages))
    made.write()
    found = judged(made.root)
    assert (found.judged, codes(found)) == (2, [])


def test_a_squash_of_two_releases_of_one_app_is_believed_by_the_one_that_ran(tmp_path: Path) -> None:
    made = make(tmp_path)
    made.release("1.1.0", at=minutes(10))
    made.release("1.2.0", at=minutes(20))
    messages = [made.message(tag, "staging", apps=[APP], source="dev") for tag in ("1.2.0", "1.1.0")]
    files = {overlay_path("staging"): overlay("1.2.0", environment="staging")}
    made.commit(files, at=minutes(60), message=squashed("catalog", *messages))
    made.write()
    assert codes(judged(made.root)) == []


def test_a_squash_with_an_edited_title_keeps_its_trailers(tmp_path: Path) -> None:
    made = make(tmp_path)
    made.release("1.1.0", at=minutes(10))
    message = made.message("1.1.0", "staging", apps=[APP], source="dev")
    text = (
        f"catalog (#7)\n\n### Gates\n\n| soak | yes |\n\n```text\n{parse(message).trailers()}\n```\n\n<!-- mark -->\n"
    )
    files = {overlay_path("staging"): overlay("1.1.0", environment="staging")}
    made.commit(files, at=minutes(60), message=text)
    made.write()
    assert codes(judged(made.root)) == []


def test_a_merge_tells_who_approved(tmp_path: Path) -> None:
    made = make(tmp_path)
    made.release("1.1.0", at=minutes(10))
    files = {overlay_path("staging"): overlay("1.1.0", environment="staging")}
    base = made.commit({}, at=minutes(30), message="Something else\n")
    side = made.commit(
        files, at=minutes(60), branch="promote", start=base,
        message=made.message("1.1.0", "staging", apps=[APP], source="dev"),
    )  # fmt: skip
    landed = made.message("1.1.0", "staging", apps=[APP], source="dev", approved_by=("Ann <ann@example.com>",))
    made.commit(files, at=minutes(70), merge=[side], message=landed)
    made.write()
    record = read_record(made.root, read_head(made.root).commit)
    (entry,) = [one for one in read_history(record, APP, environments=["staging"]).entries if one.kind == "promote"]
    assert entry.approved_by == ("Ann <ann@example.com>",)
    assert codes(judged(made.root)) == []
