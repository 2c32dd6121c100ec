"""What a gate is asked: one app that shall get a release in one environment."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from cartwright.history.git import git, text_at
from cartwright.history.pins import read_pins
from cartwright.history.record import Running
from cartwright.history.release import Pinned
from cartwright.history.trailers import NOT_ASKED, PASSED
from cartwright.kernel.errors import UserError
from cartwright.promotion.evidence import Evidence
from cartwright.promotion.moves import Move
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.verdict import Verdict
from cartwright.tree.decisions import State
from cartwright.tree.environments import Environment
from cartwright.tree.promotable import Key, read_values
from cartwright.yaml.read import line_of, nodes

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """One app, its release and its target, and where a gate finds what it needs to know."""

    plan: Plan
    move: Move
    context: Context
    evidence: Evidence

    @property
    def app(self) -> str:
        """``group/name``."""
        return self.move.app

    @property
    def target(self) -> Environment:
        """The environment that shall get the release."""
        return self.plan.target

    @property
    def now(self) -> datetime.datetime:
        """The moment that is judged."""
        return self.context.now

    @property
    def gates(self) -> Mapping[str, Any]:
        """What the target's environment.yaml asks for."""
        gates: Mapping[str, Any] = self.target.content["gates"]
        return gates

    @cached_property
    def upstreams(self) -> tuple[Environment, ...]:
        """Every environment that the order names above the target."""
        known = self.context.snapshot.environments
        return tuple(known[name] for name in self.target.upstreams if name in known)

    @cached_property
    def decisions(self) -> State:
        """The holds and freezes that are in force: those that were taken out without leave, too."""
        asked = self.context.in_force.asked(self.target.name)
        return asked.state if asked else self.context.snapshot.state(self.target.name)

    @property
    def is_rollback(self) -> bool:
        """Whether the release came through these gates before."""
        return self.plan.operation == "rollback"

    @property
    def release(self) -> str:
        """The release as people call it."""
        return ", ".join(self.move.release.tags)

    @property
    def digests(self) -> Mapping[str, str]:
        """Digest of each image that is wanted, by the image's name."""
        return {pin.image: pin.digest or "" for pin in self.move.release.pins}

    def pins(self, environment: str) -> tuple[Pinned, ...] | None:
        """What an environment pins of the app; None where it has no overlay.

        Raises:
            UserError: the overlay can't be read.
        """
        snapshot = self.context.snapshot
        if snapshot.find(environment, self.app) is None:
            return None
        file = snapshot.overlay_file(environment, self.app)
        return read_pins(snapshot.tree.blob(file).text, file)

    def settings(self, environment: str) -> Mapping[Key, str]:
        """What an environment gives to the promotable keys that come with the release.

        Raises:
            UserError: the overlay can't be read.
        """
        snapshot = self.context.snapshot
        if not self.move.config or snapshot.find(environment, self.app) is None:
            return {}
        file = snapshot.overlay_file(environment, self.app)
        return read_values(snapshot.tree.blob(file).text, file, tuple(key for key, _ in self.move.config))

    def set_since(self, environment: str) -> Running | None:
        """The commit that brought the release's promotable keys to what they are; None where it brings none, or where
        they are as old as the overlay's history.
        """
        if not self.move.config:
            return None
        snapshot, record = self.context.snapshot, self.context.record
        keys, wanted = tuple(key for key, _ in self.move.config), self.settings(environment)
        file = snapshot.overlay_file(environment, self.app)
        log = git(snapshot.root, "log", "--first-parent", "--format=%H", snapshot.head.commit, "--", file).stdout
        commits = log.split()
        for commit, older in pairwise(commits):
            if read_values(text_at(snapshot.root, older, file), file, keys) != wanted:
                index, running = record.index(commit), self.running(environment)
                if index is None or running is None:
                    return None
                return replace(running, commit=commit, since=record.landed(index, as_of=self.now))
        return None

    def running(self, environment: str) -> Running | None:
        """Since when an environment has run what it runs."""
        return self.context.record.running(environment, self.app)

    def error(self, message: str, *place: str | int, hint: str | None = None) -> UserError:
        """An error at a place below ``gates`` in the target's environment.yaml."""
        file = self.target.file
        root = next(nodes(self.context.snapshot.tree.text(file), file))
        return UserError(message, file=file, line=line_of(root, ["gates", *place])[0], hint=hint)

    def passed(self, gate: str, sentence: str) -> Verdict:
        """The verdict that lets the app through."""
        return Verdict(gate=gate, code=PASSED, passed=True, sentence=sentence, app=self.app)

    def not_asked(self, gate: str, sentence: str) -> Verdict:
        """The verdict where the environment does not ask this of the app: it goes on, and nothing is proved."""
        return Verdict(gate=gate, code=NOT_ASKED, passed=True, sentence=sentence, app=self.app)

    def blocked(self, gate: str, code: str, sentence: str, *, until: datetime.datetime | None = None) -> Verdict:
        """The verdict that stops it."""
        return Verdict(gate=gate, code=code, passed=False, sentence=sentence, until=until, app=self.app)
