"""The engine in this process, on written histories: with a clock, an Argo CD and signatures that a test decides."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import cartwright.history.git
import cartwright.kernel.run
from cartwright.kernel.errors import Blocked
from cartwright.promotion.argo import AppState, UnknownHealthError
from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import Intent, Promote
from cartwright.promotion.land.deliver import Destination, Permission, Result, deliver
from cartwright.promotion.land.worktree import WorkTree
from cartwright.promotion.verdict import Verdict
from tests.promotion.histories import APP, WRITER, digest

__all__ = ["PERSON", "Engine", "FakeHub", "git", "healthy", "in_a_process", "promote", "right_before"]

PERSON = "Release Team <release@example.com>"


@dataclass(frozen=True)
class FakeHub:
    """What Argo CD says; a text is why it says nothing."""

    says: Mapping[str, AppState] | str = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def read(self, names: Collection[str], /) -> Mapping[str, AppState]:
        self.asked.append(tuple(sorted(names)))
        if isinstance(self.says, str):
            raise UnknownHealthError(self.says)
        return {name: self.says[name] for name in names if name in self.says}


def healthy(environment: str, tag: str, *, revision: str, at: datetime, app: str = APP, **more: object) -> AppState:
    """An Application that is well at a release."""
    name = app.rpartition("/")[2]
    state = AppState(
        name=f"{environment}-shop-{name}",
        path=f"environments/{environment}/{app}",
        sync="Synced",
        health="Healthy",
        revision=revision,
        images=(f"ghcr.io/example/cartwright/{name}:{tag}@{digest(tag)}",),
        reconciled_at=at,
        phase="Succeeded",
        synced_revision=revision,
        finished_at=at,
        message="",
        jobs={},
    )
    return replace(state, **more)  # type: ignore[arg-type]


def git(root: Path, *words: str, **env: str) -> str:
    """Run git and return what it wrote."""
    done = subprocess.run(
        ["git", *words], cwd=root, env={**os.environ, **env}, check=True, capture_output=True, text=True
    )
    return done.stdout


@dataclass
class Engine:
    """Promotes in a repository at a moment that the test sets; commits carry that moment, too."""

    root: Path
    now: datetime
    hub: FakeHub = field(default_factory=FakeHub)
    unsigned: frozenset[str] = frozenset()
    """Images that carry no signature."""
    by: str = WRITER
    destination: Destination | None = None

    @property
    def sources(self) -> Sources:
        """Where gates get what Git does not know."""
        return Sources(health=self.hub, signatures=self._signed)

    def run(self, intent: Intent, *, dry_run: bool = False, **permission: object) -> Result:
        """Deliver an intent."""
        name, _, address = self.by.rstrip(">").partition(" <")
        stamp = f"{int(self.now.timestamp())} +0000"
        ours = {
            **{f"GIT_{who}_NAME": name for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": address for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_DATE": stamp for who in ("AUTHOR", "COMMITTER")},
        }
        before = {key: os.environ.get(key) for key in ours}
        os.environ.update(ours)
        try:
            return deliver(
                self.root,
                intent,
                destination=self.destination or WorkTree(root=self.root),
                sources=self.sources,
                permission=Permission(**permission),  # type: ignore[arg-type]
                dry_run=dry_run,
                clock=lambda: self.now,
            )
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value

    def promote(self, source: str, target: str, *apps: str, dry_run: bool = False, **permission: object) -> Result:
        """Promote apps, the first one by default."""
        return self.run(Promote(apps=apps or (APP,), source=source, target=target), dry_run=dry_run, **permission)

    def verdict(self, result: Result, gate: str, app: str = APP) -> Verdict:
        """The one verdict of a gate on an app."""
        (found,) = [one for one in result.verdicts if (one.gate, one.app) == (gate, app)]
        return found

    def git(self, *words: str) -> str:
        """Run git in the repository."""
        return git(self.root, *words)

    def _signed(self, image: str, *, key: Path) -> None:
        assert key.read_text() == "a public key\n"
        if image in self.unsigned:
            refusal = Blocked("it is not signed")
            refusal.code = "not-signed"  # type: ignore[attr-defined]
            raise refusal


def promote(source: str, target: str, *apps: str) -> Promote:
    """The intent."""
    return Promote(apps=apps or (APP,), source=source, target=target)


def in_a_process(work: Callable[[], object], *, user: int | None = None) -> int:
    """Run something in a process of its own and return how it ended: minus the signal that killed it."""

    def run() -> None:
        if user is not None:
            os.setgid(user)
            os.setuid(user)
        work()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def right_before(monkeypatch: pytest.MonkeyPatch, step: str, change: Callable[[], object]) -> None:
    """Have something happen once, right before a promotion runs this subcommand of Git for the first time."""
    done: list[bool] = []

    def watch(module: str, name: str, real: Callable[..., Any]) -> None:
        def run(*args: Any, **options: Any) -> Any:
            if not done and any(step == word or (isinstance(word, list) and step in word) for word in args):
                done.append(True)
                change()
            return real(*args, **options)

        monkeypatch.setattr(f"cartwright.promotion.land.{module}.{name}", run)

    watch("remote", "run", cartwright.kernel.run.run)
    watch("worktree", "git", cartwright.history.git.git)
