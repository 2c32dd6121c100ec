"""Freezes: the windows of environment.yaml, which come again, and those that people decided.

A window opens by its schedule in its own time zone, daylight saving included, and stays open for its duration as a
clock on the wall counts it down: 64 hours are 64 hours, as in Argo CD's sync windows, whichever way the clocks are set
in between.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import parse_duration
from cartwright.promotion.gates.case import Case
from cartwright.promotion.plan import Context
from cartwright.promotion.verdict import Verdict
from cartwright.tree.decisions import Freeze
from cartwright.tree.environments import Environment
from cartwright.yaml.read import line_of, nodes

__all__ = ["Freezes", "freezes_of", "judge"]

GATE = "freeze"
_LONGEST = datetime.timedelta(days=366)
"""A window longer than the time between two openings never closes; a year of it is enough to say."""
_LONGEST_CHANGE = datetime.timedelta(hours=3)
"""More than any time zone's clocks are set forward or back at once, and more than a second."""


def judge(case: Case) -> Verdict:
    """Codes: ``freeze-window`` (environment.yaml), ``freeze-decided`` (promotion.yaml)."""
    freezes = freezes_of(case.context, case.target)
    active = freezes.active(case.now)
    if not active:
        return case.passed(GATE, f"{case.target.name} is not frozen")
    last = max(active, key=lambda span: span.end)
    return case.blocked(GATE, last.code, last.sentence, until=freezes.until(case.now))


def freezes_of(context: Context, target: Environment) -> Freezes:
    """The freezes of an environment that are in force at the context's commit."""
    asked = context.in_force.asked(target.name)
    decided = asked.state.freezes if asked else context.snapshot.state(target.name).freezes
    return Freezes(target, decided=decided, text=context.snapshot.tree.text(target.file))


@dataclass(frozen=True)
class _Span:
    """A time in which the environment is frozen."""

    begin: datetime.datetime
    end: datetime.datetime
    code: str
    sentence: str


@dataclass(frozen=True)
class Freezes:
    """All that may freeze an environment, as values: asked before a promotion, and by `promote verify` after it."""

    environment: Environment
    decided: tuple[Freeze, ...]
    text: str
    """Its environment.yaml, for the lines of errors."""

    def active(self, moment: datetime.datetime) -> list[_Span]:
        """The freezes that cover a moment. Errors as for :meth:`until`."""
        return [span for span in self._spans(moment) if span.begin <= moment < span.end]

    def until(self, moment: datetime.datetime) -> datetime.datetime | None:
        """When the environment is open again, counted from a moment; None where it is open then.

        Raises:
            UserError: a schedule, a duration or a time zone is none: file and line.
        """
        end = moment
        while end - moment < _LONGEST and (active := self.active(end)):
            end = max(span.end for span in active)
        return end if end > moment else None

    def _spans(self, moment: datetime.datetime) -> Iterator[_Span]:
        """Freezes that may cover a moment."""
        name = self.environment.name
        for number, window in enumerate(self.environment.content["gates"].get("freezes", ())):
            zone, begin = self._opening(number, window, moment)
            if begin is not None:
                end = begin + parse_duration(window["duration"])
                sentence = f"{name} is frozen until {end.astimezone(zone):%Y-%m-%d %H:%M %Z}: {window['reason']}"
                yield _Span(begin, end, "freeze-window", sentence)
        for freeze in self.decided:
            local = freeze.until.astimezone(datetime.UTC)
            sentence = f"{name} is frozen until {local:%Y-%m-%d %H:%M %Z} by {freeze.by}: {freeze.reason}"
            yield _Span(freeze.begin, freeze.until, "freeze-decided", sentence)

    def _opening(
        self, number: int, window: Mapping[str, str], moment: datetime.datetime
    ) -> tuple[ZoneInfo, datetime.datetime | None]:
        """The window's time zone, and its last opening up to a moment, if there was one."""
        from cronsim import CronSim, CronSimError

        try:
            zone = ZoneInfo(window["timeZone"])
        except (ZoneInfoNotFoundError, ValueError) as error:
            hint = "an IANA name such as Europe/Berlin"
            raise self._error(f"'{window['timeZone']}' is not a time zone", number, "timeZone", hint) from error
        try:
            # Backwards from well after the moment: within the hour that comes twice, cronsim loses openings.
            after = (moment + _LONGEST_CHANGE).astimezone(zone)
            openings = (
                opening.astimezone(datetime.UTC) for opening in CronSim(window["schedule"], after, reverse=True)
            )
            last = next((opening for opening in openings if opening <= moment), None)
        except CronSimError as error:
            message = f"'{window['schedule']}' is not a schedule: {error}"
            raise self._error(message, number, "schedule", "five fields of cron") from error
        return zone, last

    def _error(self, message: str, number: int, key: str, hint: str) -> UserError:
        file = self.environment.file
        line = line_of(next(nodes(self.text, file)), ["gates", "freezes", number, key])[0]
        return UserError(message, file=file, line=line, hint=hint)
