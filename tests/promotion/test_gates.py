"""Each gate: what it lets through, what it stops, with code, sentence and the moment it opens."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cartwright.history.trailers import parse
from cartwright.kernel.errors import UserError
from cartwright.promotion.intents import Approve, Freeze, Hold, Promote, ReleaseHold, Rollback, SetImage, Unfreeze
from cartwright.promotion.land.deliver import Permission
from cartwright.promotion.verdict import Verdict
from cartwright.registry.reference import Reference
from tests.promotion.engine import PERSON, Engine, FakeHub, healthy
from tests.promotion.histories import APP, WRITER, Shop, digest, minutes, overlay, overlay_path

pytestmark = pytest.mark.slow

HOUR = datetime.timedelta(hours=1)
OTHER = "shop/app-001"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def shop(tmp_path: Path, **staging: Any) -> Shop:
    """dev runs 1.1.0 since minute 10, staging 1.0.0; the keywords are gates of staging."""
    made = Shop(tmp_path, gates={"staging": staging})
    made.release("1.1.0", at=minutes(10))
    return made


def engine(made: Shop, *, at: float = 60, **more: Any) -> Engine:
    made.write()
    return Engine(root=made.root, now=minutes(at), **more)


# --- upstream and order -----------------------------------------------------------------------------

REGIONS_IN_A_ROW = {"dev": [], "staging": ["dev"], "eu": ["staging"], "us": ["eu"]}
REGIONS_SIDE_BY_SIDE = {"dev": [], "eu": ["dev"], "us": ["dev"], "world": ["eu", "us"], "moon": ["eu", "us"]}


def test_two_regions_one_after_the_other_get_it_in_that_order(tmp_path: Path) -> None:
    made = Shop(tmp_path, upstreams=REGIONS_IN_A_ROW)
    made.release("1.1.0", at=minutes(10))
    ours = engine(made)
    with pytest.raises(UserError, match=r"can't promote from staging to us \(us takes releases from eu\)"):
        ours.promote("staging", "us")
    for source, target in (("dev", "staging"), ("staging", "eu"), ("eu", "us")):
        assert ours.promote(source, target).status == "promoted"
    assert {
        name: ours.git("show", f"HEAD:{overlay_path(name)}").count("1.1.0") for name in REGIONS_IN_A_ROW
    } == dict.fromkeys(REGIONS_IN_A_ROW, 1)


@pytest.mark.parametrize("target", ["world", "moon"])
def test_an_environment_with_two_upstreams_waits_for_both(tmp_path: Path, target: str) -> None:
    made = Shop(tmp_path, upstreams=REGIONS_SIDE_BY_SIDE)
    made.release("1.1.0", at=minutes(10))
    ours = engine(made)
    assert ours.promote("dev", "eu").status == "promoted"
    result = ours.promote("eu", target)
    assert result.status == "blocked"
    verdict = ours.verdict(result, "upstream")
    assert (verdict.code, verdict.until) == ("upstream-other", None)
    assert verdict.sentence == (f"us runs 1.0.0 of {APP}, not 1.1.0 ({digest('1.1.0')[7:19]}): promote it there first")
    assert ours.promote("dev", "us").status == "promoted"
    assert ours.promote("eu", target).status == "promoted"


def test_soak_counts_from_the_upstream_that_got_it_last(tmp_path: Path) -> None:
    made = Shop(tmp_path, upstreams=REGIONS_SIDE_BY_SIDE, gates={"world": {"soak": "30m"}})
    made.release("1.1.0", at=minutes(10))
    made.promote("1.1.0", "dev", "eu", at=minutes(20))
    made.promote("1.1.0", "dev", "us", at=minutes(40))
    ours = engine(made, at=60)
    result = ours.promote("eu", "world")
    verdict = ours.verdict(result, "soak")
    assert (verdict.code, verdict.until) == ("soak-short", minutes(70))
    assert verdict.sentence == "1.1.0 has run in us for 20m of the 30m that world asks for"
    assert result.next_time == minutes(70)


def test_an_app_that_the_other_upstream_lacks_has_not_run_there(tmp_path: Path) -> None:
    made = Shop(tmp_path, upstreams=REGIONS_SIDE_BY_SIDE, gates={"world": {"health": True, "verification": ["smoke"]}})
    made.release("1.1.0", at=minutes(10), environment="eu")
    made.commit({f"environments/us/{APP}": None}, at=minutes(11))
    ours = engine(made)
    codes = {one.gate: one.code for one in ours.promote("eu", "world").verdicts}
    assert (codes["upstream"], codes["health"], codes["verification"]) == (
        "upstream-missing",
        "health-missing",
        "verification-early",
    )


@pytest.mark.parametrize(
    ("upstreams", "ranks", "message"),
    [
        ({"staging": "dve"}, {}, r"staging/environment.yaml:5: no environment 'dve' \(did you mean 'dev'\?\)"),
        (
            {"staging": "prod"},
            {},
            "staging/environment.yaml:5: the upstreams run in a circle: staging ← prod ← staging",
        ),
        ({"staging": "staging"}, {}, "staging/environment.yaml:5: the upstreams run in a circle: staging ← staging"),
        ({}, {"dev": 7}, "staging/environment.yaml:5: upstream 'dev' has rank 7, which is not below 2"),
    ],
    ids=["unknown", "circle", "itself", "rank"],
)
def test_an_order_that_is_none_is_refused_with_file_and_line(
    tmp_path: Path, upstreams: dict[str, str], ranks: dict[str, int], message: str
) -> None:
    made = Shop(tmp_path)
    for rank, (name, upstream) in enumerate({"dev": "", "staging": "dev", "prod": "staging"}.items(), start=1):
        listed = [one for one in [upstreams.get(name, upstream)] if one]
        text = (
            f"name: {name}\ncluster: {name}\nrank: {ranks.get(name, rank)}\nupstreams:\n"
            f"{''.join(f'  - {one}' for one in listed) or '  []'}\n"
            "gates: {soak: 0s, health: false, approvals: 0, freezes: []}\npodSecurity: restricted\n"
        )
        made.commit({f"environments/{name}/environment.yaml": text}, at=minutes(1))
    with pytest.raises(UserError, match=message):
        engine(made).promote("dev", "staging")


# --- soak -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "status"), [(19.99, "blocked"), (20, "promoted")], ids=["just before", "at the end"])
def test_a_soak_opens_at_its_last_second(tmp_path: Path, at: float, status: str) -> None:
    result = engine(shop(tmp_path, soak="10m"), at=at).promote("dev", "staging")
    assert result.status == status
    assert result.next_time == (minutes(20) if status == "blocked" else None)


def test_a_release_that_went_and_came_back_soaks_from_its_return(tmp_path: Path) -> None:
    made = shop(tmp_path, soak="30m")
    made.release("1.2.0", at=minutes(15))
    made.release("1.1.0", at=minutes(50))
    result = engine(made, at=60).promote("dev", "staging")
    assert result.next_time == minutes(80)


def test_a_commit_dated_a_day_ahead_counts_as_nothing(tmp_path: Path) -> None:
    made = Shop(tmp_path, gates={"staging": {"soak": "10m"}})
    made.release("1.1.0", at=minutes(60) + 24 * HOUR)
    ours = engine(made, at=60)
    result = ours.promote("dev", "staging")
    verdict = ours.verdict(result, "soak")
    assert (verdict.code, verdict.until) == ("soak-future", minutes(70) + 24 * HOUR)
    assert "is dated 1d in the future, so its soak counts as nothing" in verdict.sentence


def test_a_commit_dated_a_day_back_is_as_old_as_the_one_before_it(tmp_path: Path) -> None:
    made = Shop(tmp_path, gates={"staging": {"soak": "10m"}})
    made.edit("prod", "1.0.1", at=minutes(55))
    made.release("1.1.0", at=minutes(55) - 24 * HOUR)
    result = engine(made, at=60).promote("dev", "staging")
    assert (result.status, result.next_time) == ("blocked", minutes(65))


# --- health -----------------------------------------------------------------------------------------


def health_of(tmp_path: Path, change: Callable[[Any], Any] | None, *, at: float = 60) -> tuple[str, str]:
    """Code and sentence of the health gate after a change of what Argo CD says."""
    made = shop(tmp_path, health=True)
    marks = made.write()
    state = healthy("dev", "1.1.0", revision=marks[2], at=minutes(11))
    state = change(state) if change else state
    ours = Engine(root=made.root, now=minutes(at), hub=FakeHub({"dev-shop-app-000": state} if state else {}))
    verdict = ours.verdict(ours.promote("dev", "staging", dry_run=True), "health")
    return verdict.code, verdict.sentence


def test_health_passes_where_the_app_is_synced_healthy_and_live_at_the_digest(tmp_path: Path) -> None:
    assert health_of(tmp_path, None) == ("passed", "dev-shop-app-000 is Synced and Healthy at 1.1.0")


STATES: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "no Application": (lambda _: None, "health-missing", "Argo CD has no Application dev-shop-app-000"),
    "another folder": (
        lambda state: replace(state, path="environments/dev/shop/other"),
        "health-other-path",
        "dev-shop-app-000 syncs environments/dev/shop/other, not environments/dev/shop/app-000",
    ),
    "never compared": (lambda state: replace(state, reconciled_at=None), "health-early", "has not compared it yet"),
    "compared before the commit": (
        lambda state: replace(state, reconciled_at=minutes(9)),
        "health-early",
        "compared it last before that",
    ),
    "syncing": (
        lambda state: replace(state, phase="Running", message="waiting for hooks"),
        "health-syncing",
        "a sync is under way: waiting for hooks",
    ),
    "sync failed": (
        lambda state: replace(state, phase="Failed", message="one hook failed"),
        "health-sync-failed",
        "the last sync ended with Failed: one hook failed",
    ),
    "out of sync": (lambda state: replace(state, sync="OutOfSync"), "health-out-of-sync", "is OutOfSync"),
    "progressing": (lambda state: replace(state, health="Progressing"), "health-not-healthy", "is Progressing"),
    "degraded": (lambda state: replace(state, health="Degraded"), "health-not-healthy", "is Degraded"),
    "another digest": (
        lambda state: replace(state, images=("ghcr.io/example/cartwright/app-000:1.1.0",)),
        "health-other-digest",
        "no live object runs ghcr.io/example/cartwright/app-000@sha256:",
    ),
}


@pytest.mark.parametrize(("change", "code", "sentence"), STATES.values(), ids=STATES)
def test_health_stops_what_argo_cd_does_not_vouch_for(
    tmp_path: Path, change: Callable[[Any], Any], code: str, sentence: str
) -> None:
    found = health_of(tmp_path, change)
    assert found[0] == code
    assert sentence in found[1]


def test_no_word_from_argo_cd_is_no_good_word(tmp_path: Path) -> None:
    ours = engine(shop(tmp_path, health=True), hub=FakeHub("the connection was refused"))
    result = ours.promote("dev", "staging")
    verdict = ours.verdict(result, "health")
    assert (result.status, verdict.code, verdict.until) == ("blocked", "health-unknown", None)
    assert verdict.sentence.endswith("is not known: the connection was refused")
    assert result.next_time is None, "no clock opens it"


def test_another_apps_commit_does_not_turn_this_app_red(tmp_path: Path) -> None:
    made = shop(tmp_path, health=True)
    later = made.edit("dev", "9.9.9", at=minutes(30), app=OTHER)
    marks = made.write()
    for revision in (marks[2], marks[later]):
        hub = FakeHub({"dev-shop-app-000": healthy("dev", "1.1.0", revision=revision, at=minutes(12))})
        ours = Engine(root=made.root, now=minutes(60), hub=hub)
        assert ours.promote("dev", "staging", dry_run=True).status == "planned", "seen before and after that commit"
    assert hub.asked == [("dev-shop-app-000",)]


def test_a_commit_that_argo_cd_saw_and_that_lacks_the_release_is_too_early(tmp_path: Path) -> None:
    made = shop(tmp_path, health=True)
    marks = made.write()
    hub = FakeHub({"dev-shop-app-000": healthy("dev", "1.1.0", revision=marks[1], at=minutes(12))})
    ours = Engine(root=made.root, now=minutes(60), hub=hub)
    verdict = ours.verdict(ours.promote("dev", "staging"), "health")
    assert verdict.code == "health-early"
    assert verdict.sentence == (
        f"dev-shop-app-000: Argo CD last saw commit {marks[1][:7]}, which does not have 1.1.0 yet"
    )


def test_a_commit_that_this_clone_lacks_is_judged_by_time_and_live_digest(tmp_path: Path) -> None:
    assert health_of(tmp_path, lambda state: replace(state, revision="f" * 40))[0] == "passed"


# --- verification -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"jobs": {"smoke": "Succeeded"}}, "passed"),
        ({"jobs": {"smoke-1a2b3c-postsync-1700000000": "Succeeded"}}, "passed"),
        ({"jobs": {"smoke": "Running"}}, "verification-running"),
        ({"jobs": {"smoke": "Failed"}}, "verification-failed"),
        ({"jobs": {"smoke-a": "Succeeded", "smoke-b": "Failed"}}, "verification-failed"),
        ({"jobs": {"load": "Succeeded"}}, "verification-missing"),
        ({"jobs": {"smoke": "Succeeded"}, "finished_at": minutes(9)}, "verification-early"),
        ({"jobs": {"smoke": "Succeeded"}, "synced_revision": "first"}, "verification-early"),
    ],
    ids=["succeeded", "generated name", "running", "failed", "one of two", "missing", "too early", "other release"],
)
def test_verification_wants_the_job_to_have_succeeded_at_this_release(
    tmp_path: Path, more: dict[str, Any], code: str
) -> None:
    made = shop(tmp_path, verification=["smoke"])
    marks = made.write()
    more = {key: marks[1] if value == "first" else value for key, value in more.items()}
    state = healthy("dev", "1.1.0", revision=marks[2], at=minutes(12), **more)
    ours = Engine(root=made.root, now=minutes(60), hub=FakeHub({"dev-shop-app-000": state}))
    assert ours.verdict(ours.promote("dev", "staging"), "verification").code == code


def test_a_job_may_be_asked_of_some_apps_alone(tmp_path: Path) -> None:
    made = Shop(tmp_path, gates={"staging": {"verification": [{"apps": "shop/app-001", "job": "smoke"}]}})
    made.release("1.1.0", at=minutes(10), apps=(APP, OTHER))
    ours = engine(made)
    assert ours.promote("dev", "staging", OTHER).status == "blocked"
    assert ours.promote("dev", "staging", APP).status == "promoted"


# --- approvals (with keys: test_approvals.py) -------------------------------------------------------

ROSTER = "@release: release@example.com\n*       @release\nshop/app-001 dba@example.com  # its own\n"
APPROVALS = {"count": 1, "from": "environments/APPROVERS"}


def approved_shop(tmp_path: Path, **approvals: Any) -> Shop:
    made = Shop(
        tmp_path,
        gates={"staging": {"approvals": {**APPROVALS, **approvals}}},
        extra={"environments/APPROVERS": ROSTER},
    )
    made.release("1.1.0", at=minutes(10), apps=(APP, OTHER))
    return made


def test_an_approval_is_a_commit_by_someone_who_may(tmp_path: Path) -> None:
    ours = engine(approved_shop(tmp_path))
    verdict = ours.verdict(ours.promote("dev", "staging"), "approvals")
    assert (verdict.code, verdict.until) == ("approvals-missing", None)
    assert verdict.sentence == (
        f"0 of 1 approvals: release@example.com may run `cartwright promote approve {APP} --from dev --to staging`"
    )
    approve = Approve(apps=(APP, OTHER), source="dev", target="staging")
    assert ours.run(approve).status == "promoted", "anyone can say it, it does not count for them"
    assert ours.promote("dev", "staging").status == "blocked"
    by_release = replace(ours, by=PERSON)
    result = by_release.run(approve)
    assert ours.git("show", "--format=", "--name-only", "HEAD") == "", "an approval changes no file"
    assert result.message is not None and parse(ours.git("log", "-1", "--format=%B")) == result.message
    assert ours.promote("dev", "staging", OTHER).status == "blocked", "the last line that fits app-001 is not theirs"
    result = ours.promote("dev", "staging")
    assert result.status == "promoted"
    assert result.message is not None and result.message.approved_by == (f"{PERSON} (not signed)",)


def test_an_image_that_was_set_is_approved_from_the_upstream_or_by_who_sets_it(tmp_path: Path) -> None:
    made = Shop(
        tmp_path,
        gates={name: {"approvals": APPROVALS} for name in ("dev", "staging")},
        extra={"environments/APPROVERS": ROSTER},
    )
    made.release("1.1.0", at=minutes(10))
    ours = engine(made)
    who = "0 of 1 approvals: release@example.com may"
    for environment, way in (
        ("staging", f"run `cartwright promote approve {APP} --from dev --to staging`"),
        ("dev", "do it, with --approved-by"),
    ):
        built = Reference("ghcr.io/example/cartwright/app-000", "1.2.0", digest("1.2.0"))
        intent = SetImage(app=APP, environment=environment, images=(built,))
        assert ours.verdict(ours.run(intent), "approvals").sentence == f"{who} {way}"


def test_a_group_may_be_asked_for_whatever_the_lines_say(tmp_path: Path) -> None:
    ours = engine(approved_shop(tmp_path, group="@release"))
    replace(ours, by=PERSON).run(Approve(apps=(OTHER,), source="dev", target="staging"))
    assert ours.promote("dev", "staging", OTHER).status == "promoted"
    wrong = engine(approved_shop(tmp_path / "wrong", group="@relase"))
    with pytest.raises(UserError, match=r"environments/APPROVERS: no group '@relase' \(did you mean '@release'\?\)"):
        wrong.promote("dev", "staging")


def test_an_approval_is_of_one_digest_and_one_environment(tmp_path: Path) -> None:
    made = approved_shop(tmp_path)
    ours = engine(made)
    replace(ours, by=PERSON).run(Approve(apps=(APP,), source="dev", target="staging"))
    made.commit(
        {overlay_path("dev"): (ours.root / overlay_path("dev")).read_text().replace("1.1.0", "1.2.0")}, at=minutes(20)
    )
    ours.run(
        SetImage(
            app=APP,
            environment="dev",
            images=(Reference("ghcr.io/example/cartwright/app-000", "1.2.0", digest("1.2.0")),),
        )
    )
    assert ours.verdict(ours.promote("dev", "staging"), "approvals").code == "approvals-missing"


def test_two_approvals_are_by_two_people(tmp_path: Path) -> None:
    made = Shop(tmp_path, gates={"staging": {"approvals": 2}})
    made.release("1.1.0", at=minutes(10))
    ours = engine(made)
    approve = Approve(apps=(APP,), source="dev", target="staging")
    for _ in range(2):
        replace(ours, by=PERSON).run(approve)
    assert ours.promote("dev", "staging").status == "blocked"
    result = ours.promote("dev", "staging", approved_by=("platform-team@example.com",))
    assert result.status == "promoted", "who promotes may be the second, if they say so"
    assert result.message is not None and set(result.message.approved_by) == {
        f"{who} (not signed)" for who in (PERSON, WRITER)
    }


def test_nobody_approves_in_the_name_of_another(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an approval counts only in the approver's own commit"):
        engine(approved_shop(tmp_path)).promote("dev", "staging", approved_by=("release@example.com",))


# --- signatures -------------------------------------------------------------------------------------


def test_an_image_without_a_signature_is_stopped(tmp_path: Path) -> None:
    made = Shop(
        tmp_path,
        gates={"staging": {"signatures": {"key": "environments/cosign.pub"}}},
        extra={"environments/cosign.pub": "a public key\n"},
    )
    made.release("1.1.0", at=minutes(10))
    image = f"ghcr.io/example/cartwright/app-000@{digest('1.1.0')}"
    ours = engine(made, unsigned=frozenset({image}))
    verdict = ours.verdict(ours.promote("dev", "staging"), "signatures")
    assert (verdict.code, verdict.sentence) == ("signature-not-signed", f"{image}: it is not signed")
    assert replace(ours, unsigned=frozenset()).promote("dev", "staging").status == "promoted"


# --- holds and rollbacks ----------------------------------------------------------------------------


def rolled_back(tmp_path: Path, **more: Any) -> Engine:
    """staging ran 1.0.0, then 1.1.0, and was rolled back at minute 60 with a hold of a day."""
    made = shop(tmp_path, **more)
    made.promote("1.1.0", "dev", "staging", at=minutes(20))
    ours = engine(made)
    result = ours.run(
        Rollback(app=APP, environment="staging", reason="orders fail", hold_until=minutes(60) + 24 * HOUR)
    )
    assert result.status == "promoted"
    return ours


def test_a_rollback_is_one_commit_with_its_reason_and_a_hold(tmp_path: Path) -> None:
    ours = rolled_back(tmp_path)
    assert ours.git("show", "--format=", "--name-only", "HEAD").split() == [
        "environments/staging/promotion.yaml",
        overlay_path("staging"),
    ]
    message = parse(ours.git("log", "-1", "--format=%B"))
    assert message is not None
    assert (message.operation, message.rollback_reason) == ("rollback", "orders fail")
    assert message.until == minutes(60) + 24 * HOUR
    assert message.moved[0].tags == ("1.0.0",)
    assert (ours.root / "environments/staging/promotion.yaml").read_text() == (
        "# yaml-language-server: $schema=../promotion.schema.json\n"
        "holds:\n"
        f"  - app: {APP}\n"
        f'    release: {{tag: "1.0.0", digest: "{digest("1.0.0")}"}}\n'
        "    reason: orders fail\n"
        f'    by: "{WRITER}"\n'
        '    until: "2026-03-03T09:00:00Z"\n'
    ).replace("reason: orders fail", 'reason: "orders fail"')


def test_a_hold_stops_automation_until_it_ends_or_somebody_says_why_not(tmp_path: Path) -> None:
    ours = rolled_back(tmp_path)
    result = ours.promote("dev", "staging")
    verdict = ours.verdict(result, "hold")
    assert (verdict.code, verdict.until) == ("held", minutes(60) + 24 * HOUR)
    assert verdict.sentence == f"{APP} is held in staging until 2026-03-03T09:00:00Z by {WRITER}: orders fail"
    assert result.next_time == verdict.until
    built = Reference("ghcr.io/example/cartwright/app-000", "1.1.0", digest("1.1.0"))
    assert ours.run(SetImage(app=APP, environment="staging", images=(built,))).status == "blocked"
    assert replace(ours, now=minutes(60) + 24 * HOUR).promote("dev", "staging", dry_run=True).status == "planned"
    result = ours.promote("dev", "staging", override_hold="fixed by hand")
    assert result.status == "promoted"
    assert result.message is not None
    assert (result.message.override_hold, result.message.gates["hold"]) == ("fixed by hand", "held")


def test_a_hold_can_be_released_and_set_without_a_rollback(tmp_path: Path) -> None:
    ours = rolled_back(tmp_path)
    assert ours.run(ReleaseHold(apps=(APP,), environment="staging", reason="mended")).status == "promoted"
    assert (ours.root / "environments/staging/promotion.yaml").read_text().endswith("holds: []\n")
    with pytest.raises(UserError, match=f"{APP} has no hold in staging to release"):
        ours.run(ReleaseHold(apps=(APP,), environment="staging", reason="again"))
    ours.run(Hold(apps=("app-000", OTHER), environment="staging", reason="sale", until=minutes(90)))
    assert {one.gate for one in ours.promote("dev", "staging").verdicts if not one.passed} == {"hold"}
    assert replace(ours, now=minutes(90)).promote("dev", "staging").status == "promoted"


def test_a_rollback_goes_behind_what_was_rolled_back_before(tmp_path: Path) -> None:
    made = shop(tmp_path)
    for number, tag in enumerate(("1.1.0", "1.2.0"), start=2):
        made.promote(tag, "dev", "staging", at=minutes(10 * number))
    ours = engine(made)
    back = Rollback(app=APP, environment="staging", reason="errors")
    for expected in ("1.1.0", "1.0.0"):
        result = ours.run(back)
        assert result.plan.moves[0].release.tags == (expected,)
    with pytest.raises(UserError, match=f"{APP} has run no release in staging before 1.0.0"):
        ours.run(back)
    assert ours.run(replace(back, release="1.2.0")).status == "promoted"
    with pytest.raises(UserError, match=r"has never run release '1.2.9' in staging \(did you mean '1.2.0'\?\)"):
        ours.run(replace(back, release="1.2.9"))


def test_a_rollback_asks_no_gate_that_the_release_passed_before_but_a_freeze_stops_it(tmp_path: Path) -> None:
    freeze = {"reason": "Sale", "schedule": "0 0 * * *", "duration": "24h", "timeZone": "UTC"}
    made = shop(tmp_path, soak="9h", health=True, approvals=3, freezes=[freeze])
    made.edit("staging", "1.1.0", at=minutes(20))
    ours = engine(made)
    result = ours.run(Rollback(app=APP, environment="staging", reason="errors"))
    assert [one.code for one in result.verdicts if not one.passed] == ["freeze-window"]
    result = ours.run(
        Rollback(app=APP, environment="staging", reason="errors"), break_glass="Platform Team: shop is down"
    )
    assert result.status == "promoted"


# --- freezes ----------------------------------------------------------------------------------------


def test_a_freeze_that_people_decided_stops_everything_until_it_is_lifted(tmp_path: Path) -> None:
    ours = engine(shop(tmp_path))
    freeze = Freeze(environment="staging", reason="audit", begin=minutes(60), until=minutes(120))
    assert ours.run(freeze).status == "promoted"
    result = ours.promote("dev", "staging")
    verdict = ours.verdict(result, "freeze")
    assert (verdict.code, verdict.until) == ("freeze-decided", minutes(120))
    assert verdict.sentence == f"staging is frozen until 2026-03-02 10:00 UTC by {WRITER}: audit"
    assert replace(ours, now=minutes(120)).promote("dev", "staging", dry_run=True).status == "planned"
    assert ours.run(Unfreeze(environment="staging", reason="over")).status == "promoted"
    assert ours.promote("dev", "staging").status == "promoted"


def test_the_next_time_lies_behind_the_freeze_that_a_soak_ends_in(tmp_path: Path) -> None:
    lunch = {"reason": "Lunch", "schedule": "0 9 * * *", "duration": "90m", "timeZone": "UTC"}
    after = {"reason": "Nap", "schedule": "30 10 * * *", "duration": "15m", "timeZone": "UTC"}
    ours = engine(shop(tmp_path, soak="55m", freezes=[lunch, after]), at=30)
    result = ours.promote("dev", "staging")
    assert [one.code for one in result.verdicts if not one.passed] == ["soak-short"]
    assert result.next_time == minutes(165), "one window follows on the other"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timeZone": "Europe/Berlni"}, "'Europe/Berlni' is not a time zone"),
        ({"schedule": "0 25 * * *"}, "'0 25 \\* \\* \\*' is not a schedule"),
    ],
    ids=["zone", "schedule"],
)
def test_a_window_that_can_not_be_read_is_an_error_with_its_line(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    window = {"reason": "Sale", "schedule": "0 0 * * *", "duration": "24h", "timeZone": "UTC", **change}
    ours = engine(shop(tmp_path, freezes=[window]))
    with pytest.raises(UserError, match=rf"environments/staging/environment.yaml:\d+: {message}"):
        ours.promote("dev", "staging")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("environments/prod/promotion.yaml", "freeze: []\n", r":1: unknown key 'freeze' \(did you mean 'freezes'\?\)"),
        ("environments/sets.yaml", "sets:\n  pair: []\n", r":2: sets.pair: \[\] should be non-empty"),
    ],
    ids=["a freeze that would freeze nothing", "a set of nothing"],
)
def test_a_typo_in_a_decision_stops_every_command(tmp_path: Path, file: str, text: str, message: str) -> None:
    made = shop(tmp_path)
    made.commit({file: text}, at=minutes(20))
    with pytest.raises(UserError, match=file + message):
        engine(made).promote("dev", "staging")


# --- break-glass ------------------------------------------------------------------------------------


def test_break_glass_passes_every_gate_and_says_who_why_and_what_it_passed(tmp_path: Path) -> None:
    freeze = {"reason": "Sale", "schedule": "0 0 * * *", "duration": "24h", "timeZone": "UTC"}
    ours = engine(shop(tmp_path, soak="9h", health=True, approvals=1, freezes=[freeze]), hub=FakeHub("no route"))
    result = ours.promote("dev", "staging", break_glass="Platform Team: checkout is down")
    assert result.status == "promoted"
    message = parse(ours.git("log", "-1", "--format=%B"))
    assert message is not None
    assert message.break_glass == "Platform Team: checkout is down"
    assert {gate: code for gate, code in message.gates.items() if code not in {"passed", "not-asked"}} == {
        "soak": "soak-short",
        "health": "health-unknown",
        "approvals": "approvals-missing",
        "freeze": "freeze-window",
    }


@pytest.mark.parametrize("text", ["now", "Platform Team", ": why", "Platform Team:", "a\nb: c"])
def test_break_glass_without_name_or_reason_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="--break-glass"):
        engine(shop(tmp_path)).promote("dev", "staging", break_glass=text)


def test_break_glass_does_not_pass_a_tag_without_its_digest(tmp_path: Path) -> None:
    made = shop(tmp_path)
    made.commit(
        {overlay_path("dev"): overlay("1.1.0").replace(f"    digest: {digest('1.1.0')}\n", "")},
        at=minutes(20),
    )
    with pytest.raises(UserError, match="has no digest, so it can't be promoted"):
        engine(made).promote("dev", "staging", break_glass="Platform Team: now")


@pytest.mark.parametrize(
    ("code", "passes"),
    [("registry-unreachable", True), ("registry-tag-moved", False), ("registry-wrong-digest", False)],
)
def test_break_glass_does_not_pass_a_tag_that_moved(code: str, passes: bool) -> None:
    permission = Permission(break_glass="Platform Team: now")
    assert permission.passes(Verdict(gate="registry", code=code, passed=False, sentence="")) is passes


# --- several apps -----------------------------------------------------------------------------------


def test_several_apps_land_in_one_commit_or_not_at_all(tmp_path: Path) -> None:
    made = Shop(
        tmp_path,
        gates={"staging": {"soak": "30m"}},
        extra={"environments/sets.yaml": f"sets:\n  pair: [{APP}, {OTHER}]\n"},
    )
    made.release("1.1.0", at=minutes(10))
    made.release("1.1.0", at=minutes(40), apps=(OTHER,))
    ours = engine(made, at=60)
    head = ours.git("rev-parse", "HEAD")
    pair = Promote(set_name="pair", source="dev", target="staging")
    result = ours.run(pair)
    assert (result.status, result.next_time) == ("blocked", minutes(70))
    assert {one.app: one.code for one in result.verdicts if one.gate == "soak"} == {APP: "passed", OTHER: "soak-short"}
    assert ours.promote("dev", "staging", APP, OTHER).status == "blocked"
    assert ours.git("rev-parse", "HEAD") == head
    later = replace(ours, now=minutes(70))
    result = later.run(pair)
    assert result.status == "promoted"
    assert ours.git("rev-list", "--count", f"{head.strip()}..HEAD").strip() == "1"
    assert result.message is not None and result.message.set_name == "pair"
    assert [moved.app for moved in result.message.moved] == [APP, OTHER]
    assert ours.git("log", "-1", "--format=%s").strip() == "Promote set pair (2 apps) from dev to staging"
    with pytest.raises(UserError, match=r"environments/sets.yaml: no set 'pari' \(did you mean 'pair'\?\)"):
        later.run(replace(pair, set_name="pari"))


def test_all_moves_what_may_go_and_says_what_waits(tmp_path: Path) -> None:
    made = Shop(tmp_path, gates={"staging": {"soak": "30m"}}, apps=3)
    for environment in ("dev", "staging"):
        text = overlay("1.0.0", "shop/app-002", environment=environment)
        text = text.replace(f"    digest: {digest('1.0.0')}\n", "")
        made.commit({overlay_path(environment, "shop/app-002"): text}, at=minutes(5))
    made.release("1.1.0", at=minutes(10))
    made.release("1.1.0", at=minutes(40), apps=(OTHER,))
    ours = engine(made, at=60)
    result = ours.run(Promote(everything=True, source="dev", target="staging"))
    assert result.status == "promoted"
    assert [move.app for move in result.plan.moves if move.changes] == [APP]
    assert [(one.app, one.code) for one in result.waiting] == [(OTHER, "soak-short")]
    result = ours.run(Promote(everything=True, source="dev", target="staging"))
    assert (result.status, result.next_time) == ("blocked", minutes(70))
    result = replace(ours, now=minutes(70)).run(Promote(everything=True, source="dev", target="staging"))
    assert [move.app for move in result.plan.moves] == [OTHER], "an app that is alike on both sides needs no digest"
    assert ours.run(Promote(everything=True, source="dev", target="staging")).status == "unchanged"
