"""What reviewers read in a pull or merge request: what moves, what every gate says, which objects change."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cartwright.history.trailers import NOT_ASKED, PASSED, RELEASES, Message
from cartwright.kernel.moments import instant
from cartwright.promotion.land.deliver import Result
from cartwright.promotion.plan import Plan
from cartwright.promotion.report.preview import ObjectDiff

__all__ = ["Mark", "read_mark", "render_body"]

_MARK = re.compile(r"<!-- cartwright-promotion (\{.*?\}) -->")
_MARKS = {PASSED: "✅", NOT_ASKED: "–"}
_LONGEST = 60_000
"""Characters; GitHub takes 65,536."""


@dataclass(frozen=True)
class Mark:
    """What a request is about, for the next run that reads it."""

    environment: str
    apps: tuple[str, ...]
    operation: str = "promote"
    """As in :attr:`cartwright.history.trailers.Message.operation`."""
    everything: bool = False
    """Whether it holds every app that may go (``--all``)."""

    def render(self) -> str:
        """As a comment that no reader sees."""
        return f"<!-- cartwright-promotion {json.dumps(asdict(self))} -->"

    def replaces(self, older: Mark) -> bool:
        """Whether a request about this makes an older one pointless: it gives all of its apps another release."""
        if self.environment != older.environment or not {self.operation, older.operation} <= {*RELEASES}:
            return False
        return set(older.apps) <= set(self.apps) or (self.everything and older.everything)


def read_mark(body: str | None) -> Mark | None:
    """What a request of ours is about; None for a request of others."""
    found = _MARK.search(body or "")
    try:
        data: Any = json.loads(found[1]) if found else None
    except ValueError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("apps"), list):
        return None
    return Mark(
        environment=str(data.get("environment")),
        apps=tuple(map(str, data["apps"])),
        operation=str(data.get("operation", "promote")),
        everything=data.get("everything") is True,
    )


def render_body(result: Result, objects: Sequence[ObjectDiff], mark: Mark, *, trailers: Message | None) -> str:
    """The request's Markdown; object diffs that do not fit are counted.

    Args:
        trailers: the message whose trailers stand at the end, where a squash that takes this text keeps them.
    """
    plan = result.plan
    origin = f" from `{plan.source}`" if plan.source else ""
    until = f", until {instant(plan.until)}" if plan.until else ""
    parts = [
        f"{plan.operation.capitalize()}{origin} to `{plan.target.name}`"
        + (f": {plan.reason}" if plan.reason else "")
        + until,
        *_moves(plan),
        *_settings(plan),
        *([_gates(result)] if plan.operation in RELEASES else []),
    ]
    end = [f"### Trailers\n\n```text\n{trailers.trailers()}\n```"] if trailers else []
    end.append(mark.render())
    room = _LONGEST - sum(map(len, (*parts, *end)))
    shown = _objects(objects, room) if plan.edits else []
    return "\n\n".join([*parts, *shown, *end]) + "\n"


def _moves(plan: Plan) -> list[str]:
    """What each app runs and gets; of a decision the apps that it is about."""
    if not plan.changed:
        return [", ".join(f"`{app}`" for app in plan.apps)] if plan.apps else []
    rows = [
        f"| {_cell(move.app)} | {_cell(', '.join(str(tag or '–') for tag in move.current.tags) or '–')} "
        f"| {_cell(', '.join(move.release.tags))} "
        f"| {'<br>'.join(f'`{digest[:19]}`' for digest in move.release.digests)} |"
        for move in plan.changed
    ]
    return ["\n".join(["| app | runs | gets | digest |", "|---|---|---|---|", *rows])]


def _settings(plan: Plan) -> list[str]:
    """What changes besides images, if anything does."""
    rows = [
        f"| {_cell(move.app)} | {_cell(one.key)} | {_cell(one.old)} | {_cell(one.new)} |"
        for move in plan.changed
        for one in move.changes
        if not one.image
    ]
    return ["\n".join(["| app | what | runs | gets |", "|---|---|---|---|", *rows])] if rows else []


def _gates(result: Result) -> str:
    several = len(result.plan.changed) > 1
    lines = []
    for one in result.verdicts:
        until = f" (until {instant(one.until)})" if one.until and not one.passed else ""
        app = f"{one.app}: " if several and one.app else ""
        lines.append(f"| {_MARKS.get(one.code, '⛔')} | {one.gate} | {_cell(app + one.sentence + until)} |")
    if not lines:
        return "No gate is asked."
    stopped = sum(not one.passed for one in result.verdicts)
    head = (
        "Every gate lets it pass." if not stopped else f"Blocked by {stopped} of {len(lines)} verdicts: a draft so far."
    )
    return "\n".join([f"### Gates\n\n{head}\n", "| | gate | verdict |", "|---|---|---|", *lines])


def _objects(objects: Sequence[ObjectDiff], room: int) -> list[str]:
    parts = [
        f"### Objects\n\n{len(objects)} in the cluster change." if objects else "No object in the cluster changes."
    ]
    for number, one in enumerate(objects):
        diff = "\n".join(one.lines)
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", diff)), default=0))
        part = f"<details><summary>{one.change} {one.identity}</summary>\n\n{fence}diff\n{diff}\n{fence}\n\n</details>"
        room -= len(part) + 2
        if room < 200:
            parts.append(f"… and {len(objects) - number} more: `cartwright promote --dry-run` shows them all.")
            break
        parts.append(part)
    return parts


def _cell(text: str) -> str:
    """Text for a table: no line break, no column, no HTML."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
