"""Waivers hide one finding each, and are themselves findings when they no longer say the truth."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import Finding
from cartwright.kernel.identity import Identity
from cartwright.policy.waivers import apply_waivers, load_waivers

_ROOT = Path(__file__).parents[2]
_TODAY = datetime.date(2026, 11, 21)
_REDIS = Identity.of("apps/v1", "StatefulSet", "data", "redis")
_FINDING = Finding(
    file="apps/data/redis/statefulset.yaml",
    line=20,
    rule="pinned-image",
    severity="error",
    message="StatefulSet/redis, container redis: image redis:7 has no digest",
    resource=_REDIS,
)
_INIT = Finding(
    file="apps/data/redis/statefulset.yaml",
    line=12,
    rule="pinned-image",
    severity="error",
    message="StatefulSet/redis, container init: image busybox:1 has no digest",
    resource=_REDIS,
)
_ENTRY: dict[str, Any] = {
    "rule": "pinned-image",
    "object": {"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "data", "name": "redis"},
    "environments": ["dev"],
    "owner": "platform-team",
    "reason": "No digest is published for this build.",
    "expires": "2026-12-31",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    shutil.copy(_ROOT / "policies" / "waivers.schema.json", tmp_path / "policies")
    return tmp_path


def _write(root: Path, *entries: dict[str, Any]) -> None:
    text = yaml.safe_dump({"waivers": list(entries)}, sort_keys=False)
    (root / "policies" / "waivers.yaml").write_text(text, encoding="utf-8")


def _apply(
    root: Path, *findings: tuple[str, Finding], judged: tuple[str, ...] = ("dev", "prod")
) -> tuple[list[Finding], list[str]]:
    """What is left of the findings, and the complaints about waivers as `line: message`."""
    result = apply_waivers(
        findings,
        root,
        known_rules=["pinned-image", "require-probes"],
        known_environments=["dev", "prod"],
        judged=judged,
        today=_TODAY,
    )
    about = [one for one in result if one.rule == "waiver"]
    assert all((one.file, one.severity) == ("policies/waivers.yaml", "error") for one in about)
    return [one for one in result if one.rule != "waiver"], [f"{one.line}: {one.message}" for one in about]


_ABOUT = "waiver of pinned-image for StatefulSet data/redis: "


def test_a_waiver_without_owner_is_refused_at_its_line(root: Path) -> None:
    _write(root, _ENTRY, {key: value for key, value in _ENTRY.items() if key != "owner"})
    with pytest.raises(UserError) as caught:
        load_waivers(root)
    assert str(caught.value) == "policies/waivers.yaml:13: waivers.1: 'owner' is a required property"


def test_a_mistyped_key_is_refused_with_the_nearest(root: Path) -> None:
    _write(root, _ENTRY | {"expire": "2026-12-31"})
    with pytest.raises(UserError) as caught:
        load_waivers(root)
    assert str(caught.value) == ("policies/waivers.yaml:13: waivers.0: unknown key 'expire' (did you mean 'expires'?)")


def test_a_day_that_does_not_exist_is_refused(root: Path) -> None:
    _write(root, _ENTRY | {"expires": "2026-02-30"})
    with pytest.raises(UserError, match=r"policies/waivers\.yaml:2: expires: 2026-02-30 is not a date"):
        load_waivers(root)


def test_a_date_needs_no_quotes(root: Path) -> None:
    _write(root, _ENTRY)
    file = root / "policies" / "waivers.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("'2026-12-31'", "2026-12-31"), encoding="utf-8")
    assert [waiver.expires for waiver in load_waivers(root)] == [datetime.date(2026, 12, 31)]


def test_a_mistyped_rule_is_an_error_that_names_the_nearest_and_hides_nothing(root: Path) -> None:
    _write(root, _ENTRY | {"rule": "pined-image"})
    assert _apply(root, ("dev", _FINDING)) == (
        [_FINDING],
        [
            "2: waiver of pined-image for StatefulSet data/redis: "
            "'pined-image' is not a rule; did you mean 'pinned-image'?",
        ],
    )


def test_a_mistyped_environment_is_an_error_that_names_the_nearest(root: Path) -> None:
    _write(root, _ENTRY | {"environments": ["prd"]})
    _, complaints = _apply(root, ("dev", _FINDING))
    assert complaints == [f"2: {_ABOUT}'prd' is not an environment; did you mean 'prod'?"]


@pytest.mark.parametrize(
    ("expires", "hides"),
    [("2026-11-20", False), ("2026-11-21", True), ("2027-02-19", True), ("2027-02-20", False)],
    ids=["yesterday", "today", "in-90-days", "in-91-days"],
)
def test_a_waiver_holds_from_today_to_90_days(root: Path, expires: str, hides: bool) -> None:
    _write(root, _ENTRY | {"expires": expires})
    kept, complaints = _apply(root, ("dev", _FINDING))
    assert (kept == [], complaints == []) == (hides, hides)


def test_an_expired_waiver_is_an_error_and_hides_nothing(root: Path) -> None:
    _write(root, _ENTRY | {"expires": "2026-11-20"})
    assert _apply(root, ("dev", _FINDING)) == (
        [_FINDING],
        [f"2: {_ABOUT}expired on 2026-11-20; remove the cause of the finding, then the waiver"],
    )


def test_a_waiver_for_longer_than_90_days_is_an_error_and_hides_nothing(root: Path) -> None:
    _write(root, _ENTRY | {"expires": "2027-03-01"})
    assert _apply(root, ("dev", _FINDING)) == (
        [_FINDING],
        [f"2: {_ABOUT}holds until 2027-03-01; at most 90 days are allowed, until 2027-02-19"],
    )


def test_an_unused_waiver_is_an_error_at_its_own_line(root: Path) -> None:
    _write(root, _ENTRY, _ENTRY | {"rule": "require-probes"})
    kept, complaints = _apply(root, ("dev", _FINDING))
    assert kept == []
    assert complaints == [
        "13: waiver of require-probes for StatefulSet data/redis: hides nothing in dev; remove it there"
    ]


def test_a_waiver_that_is_unused_in_one_of_its_environments_is_an_error(root: Path) -> None:
    _write(root, _ENTRY | {"environments": ["dev", "prod"]})
    assert _apply(root, ("dev", _FINDING)) == ([], [f"2: {_ABOUT}hides nothing in prod; remove it there"])


def test_an_environment_that_was_not_judged_whole_proves_no_waiver_unused(root: Path) -> None:
    _write(root, _ENTRY | {"environments": ["dev", "prod"]})
    assert _apply(root, ("dev", _FINDING), judged=("dev",)) == ([], [])


@pytest.mark.parametrize(
    "other",
    [
        ("prod", _FINDING),
        ("dev", Finding(**{**vars(_FINDING), "rule": "require-probes"})),
        ("dev", Finding(**{**vars(_FINDING), "resource": Identity.of("apps/v1", "StatefulSet", "shop", "redis")})),
        ("dev", Finding(**{**vars(_FINDING), "resource": Identity.of("apps/v1", "Deployment", "data", "redis")})),
        ("dev", Finding(**{**vars(_FINDING), "resource": Identity.of("apps/v1", "StatefulSet", "data", "redis-2")})),
    ],
    ids=["other-environment", "other-rule", "other-namespace", "other-kind", "other-name"],
)
def test_a_waiver_hides_its_finding_and_no_other(root: Path, other: tuple[str, Finding]) -> None:
    _write(root, _ENTRY)
    assert _apply(root, ("dev", _FINDING), other) == ([other[1]], [])


def test_a_waiver_that_fits_two_findings_hides_neither(root: Path) -> None:
    _write(root, _ENTRY)
    kept, complaints = _apply(root, ("dev", _FINDING), ("dev", _INIT))
    assert kept == [_FINDING, _INIT]
    assert complaints == [
        f"2: {_ABOUT}fits several findings in dev; add the `message` of one, and a waiver for each: "
        f"{_INIT.message}; {_FINDING.message}"
    ]


def test_text_of_the_message_picks_one_of_two_findings(root: Path) -> None:
    _write(root, _ENTRY | {"message": "container init"})
    assert _apply(root, ("dev", _FINDING), ("dev", _INIT)) == ([_FINDING], [])


def test_without_a_file_there_are_no_waivers(root: Path) -> None:
    assert _apply(root, ("dev", _FINDING)) == ([_FINDING], [])


def test_the_repositorys_own_waivers_fit_their_schema() -> None:
    load_waivers(_ROOT)
