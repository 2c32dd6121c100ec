"""Freezes: the windows of environment.yaml, which come again, and those that people decided.

A window opens by its schedule in its own time zone, daylight saving included, and stays open for its duration as a
clock on the wall counts it down: 64 hours are 64 hours, as in Argo CD's sync windows, whichever way the clocks are set
in between.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError
from cartwright.promotion.gates.case import Case, parse_duration
from cartwright.promotion.verdict import Verdict
from cartwright.tree.decisions import State
from cartwright.tree.environments import Environment
from cartwright.yaml.read import line_of, nodes

__all__ = ["frozen_until", "judge"]

GATE = "freeze"
_LONGEST = datetime.timedelta(days=366)
"""A window longer than the time between two openings never closes; a year of it is enough to say."""


def judge(case: Case) -> Verdict:
    """Codes: ``freeze-window`` (environment.yaml), ``freeze-decided`` (promotion.yaml)."""
    snapshot, target = case.context.snapshot, case.target
    state = snapshot.state(target.name)
    spans = list(_spans(snapshot, target, state, case.now))
    active = [span for span in spans if span[0] <= case.now < span[1]]
    if not active:
        return case.passed(GATE, f"{target.name} is not frozen")
    _, end, code, sentence = max(active, key=lambda span: span[1])
    return case.blocked(GATE, code, sentence, until=frozen_until(snapshot, target, case.now) or end)


def frozen_until(snapshot: Snapshot, target: Environment, moment: datetime.datetime) -> datetime.datetime | None:
    """When the environment is open again, counted from a moment; None where it is open then.

    Raises:
        UserError: a schedule, a duration or a time zone is none: file and line.
    """
    state, end = snapshot.state(target.name), moment
    while end - moment < _LONGEST:
        later = [span[1] for span in _spans(snapshot, target, state, end) if span[0] <= end < span[1]]
        if not later:
            return end if end > moment else None
        end = max(later)
    return end


_Span = tuple[datetime.datetime, datetime.datetime, str, str]
"""Begin, end, code and sentence."""


def _spans(snapshot: Snapshot, target: Environment, state: State, moment: datetime.datetime) -> Iterator[_Span]:
    """Freezes that may cover a moment."""
    for number, window in enumerate(target.content["gates"].get("freezes", ())):
        for begin, end in _openings(snapshot, target, number, window, moment):
            local = end.astimezone(ZoneInfo(window["timeZone"]))
            sentence = f"{target.name} is frozen until {local:%Y-%m-%d %H:%M %Z}: {window['reason']}"
            yield begin, end, "freeze-window", sentence
    for freeze in state.freezes:
        local = freeze.until.astimezone(datetime.UTC)
        sentence = f"{target.name} is frozen until {local:%Y-%m-%d %H:%M %Z} by {freeze.by}: {freeze.reason}"
        yield freeze.begin, freeze.until, "freeze-decided", sentence


def _openings(
    snapshot: Snapshot, target: Environment, number: int, window: dict[str, str], moment: datetime.datetime
) -> Iterable[tuple[datetime.datetime, datetime.datetime]]:
    """Begin and end of the window's last opening up to a moment, if there was one."""
    from cronsim import CronSim, CronSimError

    def line(key: str) -> int:
        root = next(nodes(snapshot.tree.text(target.file), target.file))
        return line_of(root, ["gates", "freezes", number, key])[0]

    try:
        zone = ZoneInfo(window["timeZone"])
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"'{window['timeZone']}' is not a time zone"
        hint = "an IANA name such as Europe/Berlin"
        raise UserError(message, file=target.file, line=line("timeZone"), hint=hint) from error
    duration = parse_duration(window["duration"])
    try:
        # Backwards from the moment after: an opening at the moment itself counts.
        last = next(
            CronSim(window["schedule"], moment.astimezone(zone) + datetime.timedelta(seconds=1), reverse=True), None
        )
    except CronSimError as error:
        message = f"'{window['schedule']}' is not a schedule: {error}"
        raise UserError(message, file=target.file, line=line("schedule"), hint="five fields of cron") from error
    if last is None:
        return []
    begin = last.astimezone(datetime.UTC)
    return [(begin, begin + duration)]
