"""What a gate is asked: one app that shall get a release in one environment."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cartwright.history.carry import carried_release
from cartwright.history.followed import ran_in
from cartwright.history.pinned import Pinned
from cartwright.history.pins import read_pins
from cartwright.history.record import Running
from cartwright.history.snapshot import Snapshot
from cartwright.history.trailers import NOT_ASKED, PASSED
from cartwright.kernel.errors import UserError
from cartwright.promotion.evidence import Evidence
from cartwright.promotion.gates.conditions import not_run, other_config
from cartwright.promotion.intents import Promote
from cartwright.promotion.moves import Move
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.verdict import Verdict
from cartwright.tree.decisions import State
from cartwright.tree.environments import Environment
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
        return self.move.release.name

    @property
    def digests(self) -> Mapping[str, str]:
        """Digest of each image that is wanted, by the image's name."""
        return {pin.image: pin.digest for pin in self.move.pins if pin.digest}

    def pins(self, environment: str) -> tuple[Pinned, ...] | None:
        """What an environment pins of the app; None where it has no overlay.

        Raises:
            UserError: the overlay can't be read.
        """
        snapshot = self.context.snapshot
        if snapshot.find(environment, self.app) is None:
            return None
        file = snapshot.pins_file(environment, self.app)
        return read_pins(snapshot.tree.blob(file).text, file)

    def config(self, environment: str, snapshot: Snapshot | None = None) -> str | None:
        """Identity of the configuration that an environment runs of the app, now or in another snapshot.

        Raises:
            UserError: the overlay can't be read.
        """
        snapshot = snapshot or self.context.snapshot
        tree = snapshot.release_tree(environment, self.app)
        return tree.config if tree else carried_release(snapshot, environment, self.app, bring=self._bring).config

    @property
    def _bring(self) -> tuple[str, ...]:
        return self.plan.intent.bring if isinstance(self.plan.intent, Promote) else ()

    def since(self, environment: str) -> Running | None:
        """Since when an environment has run what moves, without a break; None where it does not run it."""
        found: Running | None = None
        for one in self.context.record.timeline(environment, self.app):
            if not_run(self.move.pins, one.pins) or (one.tree and other_config(self.move.config, one.config)):
                break
            if found is not None and found.tree and not one.tree and self.move.config:
                break  # it followed main until then
            found = one
        if found is None or found.tree or self.move.config is None or self.move.release.tree is None:
            return found
        snapshot, record = self.context.snapshot, self.context.record
        file = snapshot.overlay_file(environment, self.app)
        span = ran_in(record, self.move.release.tree, file)
        if span is None or span.end is not None:
            return None
        since = record.landed(span.begin, as_of=self.now)
        return found if since <= found.since else replace(found, since=since, commit=record.commit_at(span.begin)[0])

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
