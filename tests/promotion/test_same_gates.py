"""The gates before a promotion and `verify` after it say the same of the same facts, whatever the facts are.

Random histories, gates, decisions, approvals and clocks; then the engine promotes whatever its gates say, and the audit
judges the commit.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel.moments import instant
from cartwright.promotion.audit.verify import verify
from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import Promote
from cartwright.promotion.land.deliver import Permission, Result, deliver
from cartwright.promotion.land.worktree import WorkTree
from cartwright.promotion.strictness import Gates
from cartwright.promotion.verdict import Verdict
from tests.promotion.engine import FakeHub
from tests.promotion.histories import APP, Shop, digest, minutes, overlay_path

UPSTREAMS = {"dev": [], "staging": ["dev"], "canary": ["dev"], "prod": ["staging", "canary"]}
PEOPLE = ("Alice <alice@example.com>", "Bob <bob@example.com>", "Carol <carol@example.com>")
SCHEMA = "environments/promotion.schema.json"
EXTRA = {
    SCHEMA: (Path(__file__).parents[2] / SCHEMA).read_text(),
    "environments/approvers": "* alice@example.com bob@example.com\n",
}
NO_GATES: dict[str, Any] = {"soak": "0s", "approvals": 0, "freezes": []}
AUDIT = {
    "upstream": {"upstream-other", "upstream-unproven"},
    "soak": {"soak-short"},
    "hold": {"held"},
    "freeze": {"frozen"},
    "approvals": {"approvals-missing"},
}
"""What the audit says where a gate stops the release."""
UNDONE = {"gates-weakened", "hold-ended", "freeze-ended"}
"""What it says besides, where an earlier commit took away what stops it."""

Tags = tuple[str, ...]
"""The tag of each image."""


@dataclass(frozen=True)
class Step:
    """A commit, dated some minutes after the beginning of the one before; a clock may be wrong."""

    kind: str
    minutes: int
    skew: int
    place: str
    tags: Tags
    who: str
    lasts: int
    names_release: bool


@dataclass(frozen=True)
class Facts:
    """All that the gates know."""

    images: int
    alone: bool
    """Whether prod pins an image that no upstream has."""
    begin: Tags
    """What the upstreams run at first."""
    gates: dict[str, Any]
    steps: list[Step]
    wait: int
    by: str
    approves_itself: bool


def facts(images: int) -> st.SearchStrategy[Facts]:
    # The first image is never what prod runs, so there is always something to promote.
    tags = st.tuples(st.sampled_from(["1.0.0", "1.1.0"]), *[st.sampled_from(["0.9.0", "1.1.0"])] * (images - 1))
    window = {"reason": "Night", "schedule": "0 * * * *", "duration": "20m", "timeZone": "Europe/Berlin"}
    step = st.builds(
        Step,
        kind=st.sampled_from(
            [
                *("both", "both", "release", "follow", "hold", "hold", "freeze", "approve", "approve", "withdraw"),
                *("undo", "weaken", "restore", "approve-gates"),
            ]
        ),
        minutes=st.sampled_from([0, 1, 10, 29, 30]),
        skew=st.sampled_from([0, 0, 0, -15, 40, 1440]),
        place=st.sampled_from(["staging", "canary"]),
        tags=tags,
        who=st.sampled_from(PEOPLE),
        lasts=st.sampled_from([5, 30, 120]),
        names_release=st.booleans(),
    )
    approvals = st.sampled_from(
        [
            *(0, 0, 1, 2, {"count": 1, "from": "environments/approvers"}),
            *({"count": 1, "expires": "30m"}, {"count": 1, "distinct": True}),
        ]
    )
    return st.builds(
        Facts,
        images=st.just(images),
        alone=st.booleans(),
        begin=tags,
        gates=st.fixed_dictionaries(
            {
                "soak": st.sampled_from(["0s", "10m", "30m"]),
                "approvals": approvals,
                "freezes": st.sampled_from([[], [], [window]]),
            }
        ),
        steps=st.lists(step, min_size=2, max_size=7),
        wait=st.sampled_from([0, 5, 10, 30]),
        by=st.sampled_from(PEOPLE),
        approves_itself=st.booleans(),
    )


AHEAD = Facts(
    images=1,
    alone=False,
    begin=("1.0.0",),
    gates={"soak": "0s", "approvals": 0, "freezes": []},
    steps=[Step("both", 0, 1440, "staging", ("1.1.0",), PEOPLE[0], 5, names_release=False)],
    wait=0,
    by=PEOPLE[0],
    approves_itself=False,
)
"""No soak is asked for, and the release came to the upstreams by a clock that is a day ahead."""


def taken_away(kind: str) -> Facts:
    """A decision that would stop the release, and the commit that takes it away by hand."""
    release = Step("both", 0, 0, "staging", ("1.1.0",), PEOPLE[0], 5, names_release=False)
    decision = replace(release, kind=kind, lasts=120)
    return replace(AHEAD, steps=[release, decision, replace(release, kind="undo", minutes=10)])


class Anything(Permission):
    """Whatever the gates say, the commit lands; its trailers tell of no break-glass."""

    def passes(self, verdict: Verdict) -> bool:
        return True


def kustomization(tags: Tags, *, alone: bool = False) -> str:
    entries = [{"name": f"image-{number}", "newTag": tag, "digest": digest(tag)} for number, tag in enumerate(tags)]
    if alone:
        entries.append({"name": "of-prod-alone", "newTag": "7", "digest": digest("7")})
    return json.dumps(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"apps/{APP}"],
            "images": entries,
        },
        indent=2,
    )


def digests(tags: Tags) -> list[str]:
    """As trailers and holds name them."""
    return [digest(tags[0])] if len(tags) == 1 else [f"image-{n}@{digest(tag)}" for n, tag in enumerate(tags)]


def write(folder: Path, facts: Facts) -> tuple[Shop, datetime]:
    """The history, and the moment at which somebody promotes."""
    old = ("0.9.0",) * facts.images
    overlays = {overlay_path(name): kustomization(facts.begin) for name in UPSTREAMS}
    overlays[overlay_path("prod")] = kustomization(old, alone=facts.alone)
    shop = Shop(folder, upstreams=UPSTREAMS, gates={"prod": facts.gates}, apps=1, extra={**EXTRA, **overlays})
    now, last = minutes(60), facts.begin
    decisions: dict[str, list[dict[str, Any]]] = {"holds": [], "freezes": []}
    for step in facts.steps:
        now += timedelta(minutes=step.minutes)
        at, until = now + timedelta(minutes=step.skew), now + timedelta(minutes=step.lasts)
        decision = {"reason": "because", "by": step.who, "until": instant(until)}
        message, files = "Edit\n", {}
        if step.kind in {"both", "release", "follow"}:
            last = last if step.kind == "follow" else step.tags
            places = ("staging", "canary") if step.kind == "both" else (step.place,)
            files = {overlay_path(name): kustomization(last) for name in places}
        elif step.kind == "approve":
            pairs = zip(tag_lines(last), digests(last), strict=True)
            lines = "".join(f"Release: {tag}\nDigest: {one}\n" for tag, one in pairs)
            message = f"Approve\n\nApproves: prod\nApp: {APP}\n{lines}"
        elif step.kind == "withdraw":
            message = f"Withdraw\n\nDecision: withdraw\nEnvironment: prod\nApp: {APP}\nReason: because\n"
        elif step.kind in {"weaken", "restore"}:
            written = NO_GATES if step.kind == "weaken" else facts.gates
            files = {"environments/prod/environment.yaml": shop.environment("prod", **written)}
        elif step.kind == "approve-gates":
            asked = Gates.of(json.loads(shop.environment("prod", **NO_GATES))).digest
            message = f"Approve\n\nDecision: approve-gates\nEnvironment: prod\nAsked: {asked}\nReason: because\n"
        elif step.kind == "undo":
            decisions = {"holds": [], "freezes": []}
            files = {"environments/prod/promotion.yaml": json.dumps(decisions)}
        else:
            if step.kind == "hold":
                release = {"tag": " ".join(tag_lines(last)), "digest": " ".join(digests(last))}
                held = {"release": release} if step.names_release else {}
                decisions["holds"].append({"app": APP, **held, **decision})
            else:
                decisions["freezes"].append({**decision, "from": instant(now)})
            files = {"environments/prod/promotion.yaml": json.dumps(decisions)}
        shop.commit(files, at=at, message=message, author=step.who)
    shop.write()
    return shop, now + timedelta(minutes=facts.wait)


def tag_lines(tags: Tags) -> list[str]:
    return [tags[0]] if len(tags) == 1 else [f"image-{number}:{tag}" for number, tag in enumerate(tags)]


def promote(root: Path, facts: Facts, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Result:
    name, _, address = facts.by.rstrip(">").partition(" <")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", name)
        monkeypatch.setenv(f"GIT_{who}_EMAIL", address)
        monkeypatch.setenv(f"GIT_{who}_DATE", f"{int(now.timestamp())} +0000")

    def unasked(image: str, *, key: Path) -> None:
        raise AssertionError(f"{image} was asked for its signature, {key}")

    return deliver(
        root,
        Promote(apps=(APP,), source="staging", target="prod"),
        destination=WorkTree(root=root),
        sources=Sources(health=FakeHub(), signatures=unasked),
        permission=Anything(approved_by=(facts.by,) if facts.approves_itself else ()),
        clock=lambda: now,
    )


def compare(facts: Facts, monkeypatch: pytest.MonkeyPatch, seen: Counter[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("CARTWRIGHT_CACHE", f"{folder}/cache")
        shop, now = write(Path(folder) / "shop", facts)
        result = promote(shop.root, facts, now, monkeypatch)
        assert result.status == "promoted"
        head = read_head(shop.root)
        found = verify(open_snapshot(shop.root, head), read_record(shop.root, head.commit, now=minutes(1_000_000)))
        assert head.commit == result.commit
    after = {one.code for each in found.findings if each.event.commit == head.commit for one in each.reasons}
    seen.update(after & UNDONE)
    before = {verdict.gate: verdict for verdict in result.verdicts}
    for gate, codes in AUDIT.items():
        verdict = before[gate]
        seen[verdict.code] += 1
        if verdict.code == "soak-unknown":
            # It did not run there at all: the audit says that once, of the content.
            assert not before["upstream"].passed
        else:
            assert verdict.passed == (not codes & after), (gate, verdict.sentence, after)
    # The engine's own word on each gate stands in the trailers, and is no news here.
    assert after <= {"gate-not-passed", *UNDONE}.union(*AUDIT.values())


@pytest.mark.slow
def test_the_audit_says_after_a_promotion_what_the_gates_said_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    seen: Counter[str] = Counter()

    @settings(max_examples=80, deadline=None, derandomize=True)
    @given(facts=facts(1) | facts(2))
    @example(facts=AHEAD)
    @example(facts=taken_away("hold"))
    @example(facts=taken_away("freeze"))
    def holds_for(facts: Facts) -> None:
        compare(facts, monkeypatch, seen)

    holds_for()
    # It has proved nothing where a gate never stopped anything, and nothing was taken away.
    assert set(seen) >= UNDONE, seen
    wanted = {"passed", "upstream-other", "soak-short", "held", "freeze-window", "freeze-decided", "approvals-missing"}
    assert wanted <= set(seen), seen
