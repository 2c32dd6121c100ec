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

from cartwright.kernel.errors import Blocked, UserError
from cartwright.promotion.approvers import parse_roster
from cartwright.promotion.intents import Approve
from tests.promotion.engine import PERSON, Engine
from tests.promotion.histories import APP, Shop, minutes

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
    assert result.message is not None and result.message.approved_by == (PERSON,)


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
