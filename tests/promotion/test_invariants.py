"""Whatever people and machines ask for in whatever order: what reached an environment went through its gates.

Random orders, releases, promotions, rollbacks, holds, freezes and clocks; then an oracle reads the history commit by
commit, in its own way and from Git alone, and asks of each change whether it was allowed.
"""

from __future__ import annotations

import datetime
import os
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.kernel.errors import Blocked, UserError
from cartwright.promotion.intents import Freeze, Hold, Promote, Rollback, SetImage, Unfreeze
from cartwright.registry.reference import Reference
from tests.promotion.engine import Engine, git
from tests.promotion.histories import APP, Shop, digest, minutes, overlay_path

pytestmark = pytest.mark.slow

ORDERS: tuple[Mapping[str, Sequence[str]], ...] = (
    {"dev": [], "staging": ["dev"], "prod": ["staging"]},
    {"dev": [], "eu": ["dev"], "us": ["dev"], "world": ["eu", "us"]},
    {"dev": [], "staging": ["dev"], "eu": ["staging"], "us": ["eu"]},
)
SOAK = datetime.timedelta(minutes=30)
TAGS = ("1.1.0", "1.2.0", "1.3.0")
REPOSITORY = "ghcr.io/example/cartwright/app-000"


@dataclass(frozen=True)
class Step:
    """One wish, after a while."""

    minutes: int
    kind: str
    place: int
    """Picks the environment, or the edge, among those that there are."""
    tag: str
    break_glass: bool


KINDS = (*["build"] * 4, *["promote"] * 9, "set", "rollback", "hold", "freeze", "thaw")


def steps(chance: random.Random, count: int) -> list[Step]:
    """Random wishes."""
    return [
        Step(
            minutes=chance.choice([0, 5, 29, 31, 46, 120]),
            kind=chance.choice(KINDS),
            place=chance.randrange(12),
            tag=chance.choice(TAGS),
            break_glass=chance.random() < 0.05,
        )
        for _ in range(count)
    ]


def wish(step: Step, upstreams: Mapping[str, Sequence[str]], now: datetime.datetime) -> Any:
    names = list(upstreams)
    environment = names[step.place % len(names)]
    edges = [(source, target) for target, sources in upstreams.items() for source in sources]
    source, target = edges[step.place % len(edges)]
    later = now + datetime.timedelta(minutes=45)
    images = (Reference(REPOSITORY, step.tag, digest(step.tag)),)
    return {
        "build": SetImage(app=APP, environment=names[0], images=images),
        "set": SetImage(app=APP, environment=environment, images=images),
        "promote": Promote(apps=(APP,), source=source, target=target),
        "rollback": Rollback(app=APP, environment=environment, reason="errors", hold_until=later),
        "hold": Hold(apps=(APP,), environment=environment, reason="sale", until=later),
        "freeze": Freeze(environment=environment, reason="audit", begin=now, until=later),
        "thaw": Unfreeze(environment=environment, reason="over"),
    }[step.kind]


def test_nothing_reaches_an_environment_past_its_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    ended: Counter[tuple[str, str]] = Counter()

    for seed in range(6):
        order = ORDERS[seed % len(ORDERS)]
        with tempfile.TemporaryDirectory() as folder:
            monkeypatch.setenv("CARTWRIGHT_CACHE", f"{folder}/cache")
            made = Shop(Path(folder) / "shop", upstreams=order, gates={name: {"soak": "30m"} for name in order}, apps=1)
            made.write()
            ours = Engine(root=made.root, now=minutes(60))
            for step in steps(random.Random(seed), 18):
                ended[take(ours, step, order)] += 1
            judge_history(made.root, order)
            assert ours.git("status", "--porcelain") == ""
    # It has proved nothing if nothing happened.
    assert ended["promote", "promoted"] >= 5 and ended["promote", "blocked"] >= 2, ended
    assert ended["rollback", "promoted"] and ended["freeze", "promoted"] and ended["set", "blocked"], ended


def take(ours: Engine, step: Step, order: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Take a step, and say what it was and how it ended."""
    ours.now += datetime.timedelta(minutes=step.minutes)
    before = ours.git("rev-parse", "HEAD")
    try:
        glass = "Platform Team: in a hurry" if step.break_glass else None
        result = ours.run(wish(step, order, ours.now), break_glass=glass)
    except (UserError, Blocked):
        assert ours.git("rev-parse", "HEAD") == before, "what is refused leaves no commit"
        return step.kind, "refused"
    assert (result.commit is not None) == (ours.git("rev-parse", "HEAD") != before)
    return result.plan.operation, result.status


def judge_history(root: Path, order: Mapping[str, Sequence[str]]) -> None:
    """The oracle."""
    lines = git(root, "log", "--reverse", "--format=%H %ct").splitlines()
    since: dict[str, tuple[str, int]] = {}
    seen: dict[str, set[str]] = {name: set() for name in order}
    decisions: dict[str, dict[str, Any]] = {name: {} for name in order}
    for number, line in enumerate(lines):
        commit, time = line.split()[0], int(line.split()[1])
        now = datetime.datetime.fromtimestamp(time, datetime.UTC)
        message = git(root, "log", "-1", "--format=%B", commit)
        pins = {name: pinned(root, commit, name) for name in order}
        changed = [name for name in order if number and since[name][0] != pins[name]]
        assert len(changed) <= 1, "one environment at a time"
        for name in changed:
            if "Break-Glass: " in message:
                continue
            assert not [one for one in decisions[name].get("freezes", ()) if covers(one["from"], one["until"], now)]
            if "Rollback-Reason: " in message:
                assert pins[name] in seen[name]
                continue
            assert not [one for one in decisions[name].get("holds", ()) if covers(None, one["until"], now)]
            for upstream in order[name]:
                assert since[upstream][0] == pins[name], f"{name} got what {upstream} does not run"
                assert now.timestamp() - since[upstream][1] >= SOAK.total_seconds()
        for name in order:
            if not number or name in changed:
                since[name] = (pins[name], time)
            seen[name].add(pins[name])
            decisions[name] = decided(root, commit, name)


def covers(begin: str | None, end: str, now: datetime.datetime) -> bool:
    after = begin is None or datetime.datetime.fromisoformat(begin) <= now
    return after and now < datetime.datetime.fromisoformat(end)


def pinned(root: Path, commit: str, name: str) -> str:
    (image,) = yaml.safe_load(git(root, "show", f"{commit}:{overlay_path(name)}"))["images"]
    return f"{image['newTag']}@{image['digest']}"


def decided(root: Path, commit: str, name: str) -> dict[str, Any]:
    path = f"environments/{name}/promotion.yaml"
    if not git(root, "ls-tree", commit, path):
        return {}
    found: dict[str, Any] = yaml.safe_load(git(root, "show", f"{commit}:{path}"))
    return found


def test_the_oracle_finds_what_went_past_a_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = ORDERS[0]
    made = Shop(tmp_path, upstreams=order, apps=1)
    made.release("1.1.0", at=minutes(10))
    made.edit("prod", "1.1.0", at=minutes(60))
    made.write()
    with pytest.raises(AssertionError, match="prod got what staging does not run"):
        judge_history(made.root, order)


@settings(max_examples=6, deadline=None)
@given(shut=st.sets(st.integers(0, 3), max_size=3))
def test_a_set_lands_as_a_whole_or_not_at_all(shut: set[int]) -> None:
    apps = [f"shop/app-{number:03}" for number in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("CARTWRIGHT_CACHE")
        os.environ["CARTWRIGHT_CACHE"] = f"{folder}/cache"
        try:
            made = Shop(
                Path(folder) / "s",
                upstreams={"dev": [], "staging": ["dev"]},
                gates={"staging": {"soak": "30m"}},
                apps=4,
            )
            made.release("1.1.0", at=minutes(10), apps=[app for number, app in enumerate(apps) if number not in shut])
            if shut:
                made.release("1.1.0", at=minutes(50), apps=[apps[number] for number in sorted(shut)])
            made.write()
            ours = Engine(root=made.root, now=minutes(60))
            head = ours.git("rev-parse", "HEAD").strip()
            result = ours.promote("dev", "staging", *apps)
            tree = ours.git("rev-parse", "HEAD").strip()
            assert (result.status, tree == head) == (("blocked", True) if shut else ("promoted", False))
            files = ours.git("diff", "--name-only", head, "HEAD").split()
            assert files == ([] if shut else [overlay_path("staging", app) for app in apps])
            assert replace(ours, now=minutes(80)).promote("dev", "staging", *apps).status == (
                "promoted" if shut else "unchanged"
            )
        finally:
            if before is None:
                del os.environ["CARTWRIGHT_CACHE"]
            else:
                os.environ["CARTWRIGHT_CACHE"] = before
