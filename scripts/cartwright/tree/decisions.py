"""What people and automation have decided for an environment: ``environments/<env>/promotion.yaml``.

Holds keep an app at the release that it runs; freezes keep everything out. Both end by themselves. The file is
optional. Edits append and take out whole entries and leave the rest byte for byte.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass

from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import instant, one_line, parse_instant
from cartwright.tree.repository import Tree
from cartwright.yaml.lists import append_entry, remove_entries
from cartwright.yaml.validate import load_valid

__all__ = [
    "Freeze",
    "HeldRelease",
    "Hold",
    "State",
    "add_freeze",
    "add_hold",
    "drop_freezes",
    "drop_holds",
    "parse_state",
    "read_state",
]

SCHEMA = "environments/promotion.schema.json"
_BEGIN = "# yaml-language-server: $schema=../promotion.schema.json\n"


@dataclass(frozen=True)
class HeldRelease:
    """The release that a hold keeps."""

    tag: str
    digest: str


@dataclass(frozen=True)
class Hold:
    """An app that keeps its release."""

    app: str
    """``group/name``."""
    reason: str
    by: str
    """Who decided it: ``Name <address>``."""
    until: datetime.datetime
    """When it ends, with an offset."""
    release: HeldRelease | None = None
    """What it keeps, where it says so."""

    def is_active(self, now: datetime.datetime) -> bool:
        """Whether it holds at that moment."""
        return now < self.until


@dataclass(frozen=True)
class Freeze:
    """A time in which nothing comes into the environment."""

    reason: str
    by: str
    begin: datetime.datetime
    """First moment, with an offset."""
    until: datetime.datetime
    """The moment that it is over."""

    def is_active(self, now: datetime.datetime) -> bool:
        """Whether it freezes at that moment."""
        return self.begin <= now < self.until


@dataclass(frozen=True)
class State:
    """All decisions for one environment, those that have ended included, in the order of the file."""

    environment: str
    holds: tuple[Hold, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    @property
    def file(self) -> str:
        """Path of the file, whether it exists or not."""
        return state_file(self.environment)


def state_file(environment: str) -> str:
    """Path of an environment's decisions."""
    return f"environments/{environment}/promotion.yaml"


def read_state(tree: Tree, environment: str) -> State:
    """An environment's decisions; none where there is no file.

    Raises:
        UserError: the file does not fit its schema, or names a moment that does not exist: file and line.
    """
    file = state_file(environment)
    return parse_state(tree.text(file), environment, tree) if tree.is_file(file) else State(environment=environment)


def parse_state(text: str, environment: str, tree: Tree) -> State:
    """The decisions that a text states. Errors as for :func:`read_state`."""
    file = state_file(environment)
    data = load_valid(text, file, json.loads(tree.text(SCHEMA))) if text.strip() else {}
    return State(
        environment=environment,
        holds=tuple(
            Hold(
                app=one["app"],
                reason=one["reason"],
                by=one["by"],
                until=_moment(one["until"], file),
                release=HeldRelease(**one["release"]) if "release" in one else None,
            )
            for one in data.get("holds", ())
        ),
        freezes=tuple(
            Freeze(
                reason=one["reason"],
                by=one["by"],
                begin=_moment(one["from"], file),
                until=_moment(one["until"], file),
            )
            for one in data.get("freezes", ())
        ),
    )


def add_hold(text: str | None, hold: Hold, *, file: str) -> str:
    """The file's text with one more hold; ``None`` where there is no file yet."""
    release = {"release": {"tag": hold.release.tag, "digest": hold.release.digest}} if hold.release else {}
    entry = {
        "app": hold.app,
        **release,
        "reason": one_line(hold.reason, "reason"),
        "by": one_line(hold.by, "by"),
        "until": instant(hold.until),
    }
    return append_entry(_BEGIN if text is None else text, "holds", entry, file=file)


def add_freeze(text: str | None, freeze: Freeze, *, file: str) -> str:
    """The file's text with one more freeze; ``None`` where there is no file yet."""
    entry = {
        "reason": one_line(freeze.reason, "reason"),
        "by": one_line(freeze.by, "by"),
        "from": instant(freeze.begin),
        "until": instant(freeze.until),
    }
    return append_entry(_BEGIN if text is None else text, "freezes", entry, file=file)


def drop_holds(text: str, state: State, app: str, *, now: datetime.datetime) -> str:
    """The file's text without the app's holds, and without those of all apps that have ended.

    Raises:
        UserError: nothing holds the app.
    """
    if not any(hold.app == app and hold.is_active(now) for hold in state.holds):
        raise UserError(f"{app} has no hold in {state.environment} to release", file=state.file)
    gone = [number for number, hold in enumerate(state.holds) if hold.app == app or not hold.is_active(now)]
    return remove_entries(text, "holds", gone, file=state.file)


def drop_freezes(text: str, state: State, *, reason: str | None, now: datetime.datetime) -> str:
    """The file's text without the freezes that have not ended (those with that reason, if given), nor the ended ones.

    Raises:
        UserError: there is none.
    """
    wanted = [freeze for freeze in state.freezes if now < freeze.until and reason in {None, freeze.reason}]
    if not wanted:
        named = f" for '{reason}'" if reason else ""
        raise UserError(f"{state.environment} has no freeze{named} to lift", file=state.file)
    gone = [number for number, one in enumerate(state.freezes) if one in wanted or one.until <= now]
    return remove_entries(text, "freezes", gone, file=state.file)


def _moment(text: str, file: str) -> datetime.datetime:
    moment = parse_instant(text)
    if moment is None:
        raise UserError(f"'{text}' is not a date and time", file=file, hint="such as 2026-11-21T08:00:00Z")
    return moment
