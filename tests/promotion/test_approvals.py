"""Signed approvals, with real keys: of ssh-keygen and of gpg. And the file that says who may approve."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel.errors import Blocked, UserError
from cartwright.promotion.approvers import parse_roster
from cartwright.promotion.audit.verify import verify
from cartwright.promotion.intents import Approve, Rollback, Withdraw
from tests.promotion.engine import PERSON, Engine, git
from tests.promotion.histories import APP, WRITER, Shop, minutes

KEYS = "environments/approvers.keys"
ROSTER = "* release@example.com\n"
APPROVE = Approve(apps=(APP,), source="dev", target="staging")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def ssh_key(tmp_path: Path, name: str) -> Path:
    file = tmp_path / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


def engine(tmp_path: Path, keys: str) -> Engine:
    approvals = {"count": 1, "from": "environments/APPROVERS", "signers": KEYS}
    made = Shop(
        tmp_path / "shop",
        upstreams={"dev": [], "staging": ["dev"]},
        gates={"staging": {"approvals": approvals}},
        extra={"environments/APPROVERS": ROSTER, KEYS: keys},
    )
    made.release("1.1.0", at=minutes(10))
    made.write()
    return Engine(root=made.root, now=minutes(60))


def sign_with(ours: Engine, kind: str, key: str) -> None:
    for name, value in {"gpg.format": kind, "user.signingKey": key, "commit.gpgSign": "true"}.items():
        ours.git("config", name, value)


def test_a_commit_approves_only_if_the_key_of_the_approver_signed_it(tmp_path: Path) -> None:
    key, other = ssh_key(tmp_path, "key"), ssh_key(tmp_path, "other")
    ours = engine(tmp_path, f"release@example.com {key.with_suffix('.pub').read_text()}")
    theirs = replace(ours, by=PERSON)

    def missing() -> bool:
        verdict = ours.verdict(ours.promote("dev", "staging", dry_run=True), "approvals")
        return verdict.code == "approvals-missing"

    theirs.run(APPROVE)
    assert missing(), "anyone can write that name"
    sign_with(ours, "ssh", str(other))
    theirs.run(APPROVE)
    assert missing(), "another key"
    sign_with(ours, "ssh", str(key))
    theirs.run(APPROVE)
    assert not missing()
    ours.git("config", "commit.gpgSign", "false")
    result = ours.promote("dev", "staging")
    assert result.status == "promoted"
    assert result.message is not None and result.message.approved_by == ("release@example.com (signed)",)


def test_who_promotes_with_their_own_approval_signs_the_promotion(tmp_path: Path) -> None:
    key = ssh_key(tmp_path, "key")
    ours = engine(tmp_path, f"release@example.com {key.with_suffix('.pub').read_text()}")
    theirs = replace(ours, by=PERSON)
    head = ours.git("rev-parse", "HEAD")
    with pytest.raises(Blocked, match="staging asks for signed approvals, and the commit is not signed with a key of"):
        theirs.promote("dev", "staging", approved_by=("release@example.com",))
    assert ours.git("rev-parse", "HEAD") == head
    sign_with(ours, "ssh", str(key))
    result = theirs.promote("dev", "staging", approved_by=("release@example.com",))
    assert result.status == "promoted"
    assert "gpgsig -----BEGIN SSH SIGNATURE" in ours.git("cat-file", "commit", "HEAD")


@pytest.fixture
def gnupg(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A key ring with the approver's key; its path is short, as gpg-agent's socket lies in it."""
    folder = Path(tempfile.mkdtemp(prefix="gpg-"))
    monkeypatch.setenv("GNUPGHOME", str(folder))
    words = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", PERSON, "ed25519", "sign", "never"]
    subprocess.run(["gpg", *words], check=True, capture_output=True)
    yield folder
    subprocess.run(["gpgconf", "--kill", "all"], check=True, env={**os.environ, "GNUPGHOME": str(folder)})
    shutil.rmtree(folder)


def test_an_openpgp_signature_approves_too(tmp_path: Path, gnupg: Path) -> None:
    armoured = subprocess.run(["gpg", "--armor", "--export"], check=True, capture_output=True, text=True).stdout
    ours = engine(tmp_path, armoured)
    sign_with(ours, "openpgp", "release@example.com")
    replace(ours, by=PERSON).run(APPROVE)
    ours.git("config", "commit.gpgSign", "false")
    assert ours.promote("dev", "staging").status == "promoted"


def test_a_file_of_keys_that_is_empty_or_missing_is_no_reason_to_take_anyone(tmp_path: Path) -> None:
    ours = engine(tmp_path, "")
    replace(ours, by=PERSON).run(APPROVE)
    assert ours.verdict(ours.promote("dev", "staging"), "approvals").code == "approvals-missing"
    ours.git("rm", "--quiet", KEYS)
    ours.git("commit", "--quiet", "-m", "Remove the keys")
    with pytest.raises(UserError, match=f"the keys of its approvers, '{KEYS}', are not in the repository"):
        ours.promote("dev", "staging")


# --- how long an approval counts --------------------------------------------------------------------

ALICE = "Alice <alice@example.com>"
MISSING = ["approvals-missing"]


def unsigned(tmp_path: Path, **approvals: object) -> Engine:
    made = Shop(
        tmp_path / "shop",
        upstreams={"dev": [], "staging": ["dev"]},
        gates={"staging": {"approvals": {"count": 1, **approvals}}},
    )
    made.release("1.1.0", at=minutes(10))
    made.write()
    return Engine(root=made.root, now=minutes(20))


def stopped(ours: Engine, at: float) -> list[str]:
    """The codes of the gates that stop a promotion at a moment."""
    result = replace(ours, now=minutes(at)).promote("dev", "staging", dry_run=True)
    return [verdict.code for verdict in result.verdicts if not verdict.passed]


def found(ours: Engine) -> list[str]:
    """The codes that verify finds."""
    head = read_head(ours.root)
    record = read_record(ours.root, head.commit, now=minutes(1_000_000))
    findings = verify(open_snapshot(ours.root, head), record).findings
    return [reason.code for finding in findings for reason in finding.reasons if reason.code != "gate-not-passed"]


def without_trailer(ours: Engine, key: str, *, at: float) -> None:
    """Write the last commit anew without a trailer."""
    lines = ours.git("log", "-1", "--format=%B").splitlines()
    message = "\n".join(line for line in lines if not line.startswith(f"{key}: "))
    stamp = f"{int(minutes(at).timestamp())} +0000"
    who = {"GIT_COMMITTER_NAME": "Writer", "GIT_COMMITTER_EMAIL": "writer@example.com", "GIT_COMMITTER_DATE": stamp}
    git(ours.root, "commit", "--amend", "--quiet", "--message", message, **who)


@pytest.mark.parametrize(
    ("settings", "lasts"), [({"expires": "1h"}, 60), ({}, 7 * 24 * 60)], ids=["as it says", "by default"]
)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_an_approval_expires(tmp_path: Path, settings: dict[str, str], lasts: int, late: bool) -> None:
    ours = unsigned(tmp_path, **settings)
    replace(ours, by=ALICE).run(APPROVE)
    end = 20 + lasts if late else 20 + lasts - 1 / 60
    assert stopped(ours, end) == (MISSING if late else [])
    # By hand, whatever the gates say: break-glass, without the trailer that says so.
    replace(ours, now=minutes(end)).promote("dev", "staging", break_glass="Bob: now")
    without_trailer(ours, "Break-Glass", at=end)
    assert found(ours) == (MISSING if late else [])


def test_an_approval_that_was_withdrawn_counts_no_more(tmp_path: Path) -> None:
    ours = unsigned(tmp_path)
    theirs = replace(ours, by=ALICE)
    theirs.run(APPROVE)
    withdraw = Withdraw(apps=(APP,), environment="staging", reason="the test run was red")
    with pytest.raises(UserError, match="has approved no release of shop/app-000 for staging"):
        replace(ours, by=PERSON).run(withdraw)
    assert stopped(ours, 25) == []
    result = theirs.run(withdraw)
    assert result.message is not None
    assert result.message.render() == (
        f"Withdraw the approval of {APP} for staging\n\nDecision: withdraw\nEnvironment: staging\nApp: {APP}\n"
        "Reason: the test run was red\n"
    )
    assert stopped(ours, 25) == MISSING
    theirs.run(APPROVE)
    assert stopped(ours, 25) == [], "whoever approves again has approved"


def test_somebody_elses_withdrawal_takes_no_approval_back(tmp_path: Path) -> None:
    ours = unsigned(tmp_path, count=2)
    for who in (ALICE, PERSON):
        replace(ours, by=who).run(APPROVE)
    assert stopped(ours, 25) == []
    replace(ours, by=PERSON).run(Withdraw(apps=(APP,), environment="staging", reason="not sure"))
    verdict = ours.verdict(replace(ours, now=minutes(25)).promote("dev", "staging", dry_run=True), "approvals")
    assert verdict.sentence.startswith(f"1 of 2 approvals ({ALICE} (not signed)): ")


def test_an_approval_from_before_a_rollback_counts_no_more(tmp_path: Path) -> None:
    ours = unsigned(tmp_path)
    replace(ours, by=ALICE).run(APPROVE)
    ours.now = minutes(30)
    assert ours.promote("dev", "staging").status == "promoted"
    ours.now = minutes(40)
    ours.run(Rollback(app=APP, environment="staging", reason="errors"))
    assert stopped(ours, 50) == MISSING
    ours.now = minutes(50)
    assert ours.promote("dev", "staging", override_hold="it is fixed", break_glass="Bob: now").status == "promoted"
    assert found(ours) == []
    without_trailer(ours, "Break-Glass", at=50)
    assert found(ours) == MISSING
    ours.git("reset", "--hard", "--quiet", "HEAD^")
    replace(ours, by=ALICE).run(APPROVE)
    assert stopped(ours, 60) == [], "what is approved after the rollback counts"


@pytest.mark.parametrize("distinct", [False, True])
def test_whoever_promotes_may_be_asked_not_to_approve(tmp_path: Path, distinct: bool) -> None:
    ours = unsigned(tmp_path, distinct=distinct)
    ours.run(APPROVE)
    assert stopped(ours, 25) == (MISSING if distinct else [])
    itself = replace(ours, now=minutes(25)).promote("dev", "staging", dry_run=True, approved_by=(WRITER,))
    assert itself.status == ("blocked" if distinct else "planned")
    assert stopped(replace(ours, by=ALICE), 25) == [], "somebody else's promotion may count on it"


def test_the_trailer_says_what_proves_an_approval(tmp_path: Path) -> None:
    ours = unsigned(tmp_path)
    replace(ours, by=ALICE).run(APPROVE)
    result = replace(ours, now=minutes(30)).promote("dev", "staging")
    assert result.message is not None
    assert f"Approved-By: {ALICE} (not signed)\n" in result.message.render()
    assert result.message.gates == {
        "upstream": "passed",
        "soak": "not-asked",
        "health": "not-asked",
        "verification": "not-asked",
        "approvals": "passed",
        "registry": "not-asked",
        "signatures": "not-asked",
        "hold": "passed",
        "freeze": "passed",
    }
    assert found(ours) == []


# --- who may approve --------------------------------------------------------------------------------


def test_the_last_line_that_fits_an_app_counts_and_groups_hold_groups() -> None:
    roster = parse_roster(
        "# a comment\n@a: One@example.com, two@example.com\n@all: @a three@example.com  # more\n@none:\n"
        "*        @all\ndata/*   dba@example.com\ndata/tmp\nshop/*   @none\n",
        "APPROVERS",
    )
    assert roster.approvers("web/app") == {"one@example.com", "two@example.com", "three@example.com"}
    assert roster.approvers("data/postgres") == {"dba@example.com"}
    assert roster.approvers("data/tmp") == frozenset(), "a line without anybody: nobody may"
    assert roster.approvers("shop/catalog") == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("* @relase\n@release: a@b.c\n", "APPROVERS:1: no group '@relase'"),
        ("@release: a@b.c\n* @relase\n", r"APPROVERS:2: no group '@relase' \(did you mean '@release'\?\)"),
        ("\n* somebody\n", "APPROVERS:2: 'somebody' is neither a group nor an address"),
        ("@a: a@b.c\n@a: d@e.f\n", "APPROVERS:2: the group @a is already defined above"),
        ("@a a@b.c\n", r"APPROVERS:1: '@a' is not a pattern \(a group is '@a: …'\)"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_roster(text, "APPROVERS")
