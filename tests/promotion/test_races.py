"""Twenty promotions at once, and two of one app. ``pytest -s`` prints the counts; with ``CARTWRIGHT_REPORTS`` set to a
folder they are written there as ``promotion-races.json``, too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cartwright.history.record import read_record
from cartwright.history.trailers import parse
from cartwright.kernel.errors import Blocked
from cartwright.promotion.intents import Promote, SetImage
from cartwright.promotion.land.moved import BranchMovedError
from cartwright.promotion.land.remote import pick_remote
from cartwright.promotion.land.worktree import WorkTree
from cartwright.registry.reference import Reference
from tests.promotion.engine import Engine, git
from tests.promotion.histories import APP, Shop, digest, minutes, overlay, overlay_path

pytestmark = pytest.mark.slow

RACERS = 20
GATED = 3
"""Further processes whose gates are shut: one held, one not soaked, one whose upstream runs something else."""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def name(number: int) -> str:
    return f"shop/app-{number:03}"


def race(arguments: tuple[Path, Any]) -> tuple[str, str, int]:
    """Status, commit and number of attempts; or what was said."""
    root, intent = arguments
    ours = Engine(root=root, now=minutes(60), destination=pick_remote(root, name="origin", branch="main"))
    try:
        result = ours.run(intent)
    except Blocked as error:
        return "refused", str(error), 0
    codes = " ".join(one.code for one in result.verdicts if not one.passed)
    return result.status, result.commit or codes, result.attempts


def remote_of(made: Shop, tmp_path: Path, clones: int) -> list[Path]:
    """A bare remote of a repository, and clones of it."""
    git(tmp_path, "clone", "--quiet", "--bare", str(made.root), "remote.git")
    for number in range(clones):
        git(tmp_path, "clone", "--quiet", "--no-checkout", "remote.git", f"clone-{number}")
    return [tmp_path / f"clone-{number}" for number in range(clones)]


def report(outcome: dict[str, Any]) -> None:
    sys.stdout.write("\n" + "\n".join(f"{key}: {value}" for key, value in outcome.items()) + "\n")
    reports = os.environ.get("CARTWRIGHT_REPORTS")
    if reports:
        Path(reports).mkdir(parents=True, exist_ok=True)
        (Path(reports) / "promotion-races.json").write_text(json.dumps(outcome, indent=2) + "\n")


def test_twenty_processes_promote_different_apps_to_one_remote_and_every_one_lands(tmp_path: Path) -> None:
    apps = RACERS + GATED
    made = Shop(tmp_path, upstreams={"dev": [], "staging": ["dev"]}, gates={"staging": {"soak": "30m"}}, apps=apps)
    held, fresh, other = (name(RACERS + number) for number in range(GATED))
    made.release("1.1.0", at=minutes(10), apps=[name(number) for number in range(apps) if name(number) != fresh])
    made.release("1.1.0", at=minutes(50), apps=[fresh])
    hold = {"app": held, "reason": "sale", "by": "Platform Team", "until": "2026-03-09T00:00:00Z"}
    schema = (Path(__file__).parents[2] / "environments/promotion.schema.json").read_text()
    made.commit(
        {
            "environments/staging/promotion.yaml": json.dumps({"holds": [hold]}),
            "environments/promotion.schema.json": schema,
        },
        at=minutes(55),
    )
    made.write(checkout=False)
    before = int(git(made.root, "rev-list", "--count", "main"))
    # Half of them share a clone, as the jobs of one machine do; the others have their own.
    clones = remote_of(made, tmp_path, 1 + RACERS // 2)
    jobs: list[tuple[Path, Any]] = [
        (clones[max(0, number - RACERS // 2 + 1)], Promote(apps=(name(number),), source="dev", target="staging"))
        for number in range(RACERS)
    ]
    jobs += [(clones[0], Promote(apps=(app,), source="dev", target="staging")) for app in (held, fresh)]
    wrong = Reference(f"ghcr.io/example/cartwright/{other.rpartition('/')[2]}", "6.6.6", digest("6.6.6"))
    jobs.append((clones[1], SetImage(app=other, environment="staging", images=(wrong,))))
    began = time.monotonic()
    with multiprocessing.get_context("fork").Pool(len(jobs)) as pool:
        ended = pool.map(race, jobs, chunksize=1)
    took = time.monotonic() - began
    remote = tmp_path / "remote.git"
    landed = [commit for status, commit, _ in ended if status == "promoted"]
    # Every one landed, none is lost.
    assert [status for status, _, _ in ended[:RACERS]] == ["promoted"] * RACERS, ended
    line = git(remote, "rev-list", "main").split()
    assert len(line) == before + RACERS
    assert set(line[:RACERS]) == set(landed)
    # History is a line.
    assert git(remote, "rev-list", "--min-parents=2", "main") == ""
    # Each changed its one file, and each app runs what it should.
    for number in range(RACERS):
        assert digest("1.1.0") in git(remote, "show", f"main:{overlay_path('staging', name(number))}")
        files = git(remote, "show", "--format=", "--name-only", ended[number][1]).split()
        assert files == [overlay_path("staging", name(number))]
    # None went past a gate.
    assert [(status, codes) for status, codes, _ in ended[RACERS:]] == [
        ("blocked", "held"),
        ("blocked", "soak-short"),
        ("blocked", "upstream-other soak-unknown"),
    ]
    record = read_record(remote, line[0], now=minutes(60))
    for app in (held, fresh, other):
        running = record.running("staging", app)
        assert running is not None and [pin.tag for pin in running.pins] == ["1.0.0"]
    for commit in landed:
        message = parse(git(remote, "log", "-1", "--format=%B", commit))
        assert message is not None and set(message.gates.values()) == {"passed", "not-asked"}
    attempts = [count for _, _, count in ended[:RACERS]]
    report(
        {
            "processes": len(jobs),
            "landed": len(landed),
            "lost": RACERS - len(set(landed) & set(line)),
            "blocked by a gate": len(jobs) - RACERS,
            "merges": 0,
            "attempts": sum(attempts),
            "most attempts of one": max(attempts),
            "attempts by count": {str(count): number for count, number in sorted(Counter(attempts).items())},
            "seconds": round(took, 1),
        }
    )


def test_a_branch_that_never_rests_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cartwright.promotion.land.deliver._SECONDS", 0)
    made = Shop(tmp_path, upstreams={"dev": [], "staging": ["dev"]})
    made.release("1.1.0", at=minutes(10))
    made.write()

    def moved(*_: object, **__: object) -> None:
        raise BranchMovedError

    monkeypatch.setattr(WorkTree, "land", moved)
    with pytest.raises(Blocked, match=r"^gave up after 1 attempts: the branch keeps moving\. Nothing was promoted"):
        Engine(root=made.root, now=minutes(60)).promote("dev", "staging")


def test_two_promote_the_same_app_with_different_releases_and_the_loser_says_so(tmp_path: Path) -> None:
    made = Shop(tmp_path, upstreams={"dev": []})
    made.write(checkout=False)
    clones = remote_of(made, tmp_path, 2)
    repository = "ghcr.io/example/cartwright/app-000"
    jobs = [
        (clone, SetImage(app=APP, environment="dev", images=(Reference(repository, tag, digest(tag)),)))
        for clone, tag in zip(clones, ("1.1.0", "1.2.0"), strict=True)
    ]
    # The remote lets no push through before both have arrived: both were planned on the same commit.
    hook = tmp_path / "remote.git/hooks/pre-receive"
    hook.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/arrived-$$\nfor try in $(seq 600); do\n"
        f'  if [ "$(ls {tmp_path}/arrived-* | wc -l)" -ge 2 ]; then exit 0; fi\n  sleep 0.05\ndone\nexit 1\n'
    )
    hook.chmod(0o755)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        ended = pool.map(race, jobs, chunksize=1)
    assert sorted(status for status, _, _ in ended) == ["promoted", "refused"]
    winner = next(number for number, one in enumerate(ended) if one[0] == "promoted")
    won, lost = (("1.1.0", "1.2.0"), ("1.2.0", "1.1.0"))[winner]
    commit = ended[winner][1]
    assert ended[1 - winner][1] == (
        f"dev got {won} of {APP} meanwhile by Platform Team <platform-team@example.com>, commit {commit[:7]}: "
        f"{lost} was not promoted over it; run it again if it should be"
    )
    remote = tmp_path / "remote.git"
    assert git(remote, "rev-list", "--count", "main").strip() == "2"
    assert git(remote, "show", f"main:{overlay_path('dev')}") == overlay(won)
