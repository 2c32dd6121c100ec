"""History, matrix, metrics and verification as text for people, and the verification as JSON."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from cartwright.history.trailers import NOT_ASKED, PASSED
from cartwright.kernel.moments import instant, say_duration
from cartwright.kernel.output import count
from cartwright.promotion.audit.changes import named
from cartwright.promotion.audit.matrix import Cell, Matrix, Waiting
from cartwright.promotion.audit.metrics import Figures, Metrics, median
from cartwright.promotion.audit.timeline import Entry, History, pin_json
from cartwright.promotion.audit.verify import Finding, Notice, Verification

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["history_text", "matrix_text", "metrics_text", "verification_json", "verification_text"]

_VERSION = 1
"""Version of the JSON; a change that breaks a reader raises it."""
_DIGEST = 12
"""So many digits of a digest tell two releases apart for a person."""
_Lines = list[tuple[str, str]]
"""The lines of a table's cell, each with its style."""
_LARGEST = re.compile(r"^([0-9]+[a-z]).*")


def history_text(history: History) -> RenderableType:
    """An app's history as a table, newest first."""
    from rich.console import Group
    from rich.table import Table

    table = Table("when (UTC)", "environment", "what", "release", "by", "why", "commit", box=None)
    for one in history.entries:
        table.add_row(
            _moment(one.time), one.environment, _what(one), _release(one), _name(one.author), _why(one), one.commit[:7]
        )
    return Group(table, *_cut(history.cut))


def matrix_text(matrix: Matrix) -> Text:
    """A table of apps and environments, then what waits and why."""
    rows = [[[(one, "bold")] for one in ("app", *matrix.environments)]]
    lines: list[Text] = []
    for app, cells in matrix.apps.items():
        rows.append([[(app, "")], *(_cell(cells.get(name), matrix.now) for name in matrix.environments)])
        for cell in cells.values():
            for one in cell.waiting:
                lines += _waiting(app, cell, one, matrix.now)
            if cell.behind:
                commits = ", ".join(commit[:7] for commit in cell.behind)
                lines.append(Text(f"{app}: main changed its base since {cell.environment} took it: {commits}"))
    waiting = sum(len(cell.waiting) for cells in matrix.apps.values() for cell in cells.values())
    total = f"{count(len(matrix.apps), 'app')} in {count(len(matrix.environments), 'environment')}, {waiting} waiting"
    return Text("\n").join([_aligned(rows), *lines, Text(total), *_cut(matrix.cut)])


def _aligned(rows: Sequence[Sequence[_Lines]]) -> Text:
    """A table in columns. One of thousands of rows takes rich's own table seconds."""
    widths = [max(cell_len(text) for cell in column for text, _ in cell) for column in zip(*rows, strict=True)]
    parts: list[tuple[str, str]] = []
    for row in rows:
        for number in range(max(map(len, row))):
            for cell, width in zip(row, widths, strict=True):
                text, style = cell[number] if number < len(cell) else ("", "")
                parts += [(" ", ""), (text, style), (" " * (width - cell_len(text) + 1), "")]
            parts.append(("\n", ""))
    return Text.assemble(*(part for part in parts if part[0]))


def metrics_text(metrics: Metrics, *, apps: bool) -> RenderableType:
    """The four figures of each environment, and of each app where asked."""
    from rich.console import Group
    from rich.table import Table

    table = Table("environment", *(["app"] if apps else []), box=None)
    for title in ("deployments", "per day", "lead time", "failed", "time to restore", "commit to live"):
        table.add_column(title, justify="right")
    for name, figures in metrics.environments.items():
        table.add_row(name, *(["all"] if apps else []), *_figures(figures))
        for (environment, app), one in metrics.apps.items():
            if apps and environment == name:
                table.add_row("", app, *_figures(one))
    asked = "" if metrics.argocd else "; Argo CD was not asked (--argocd)"
    window = f"{_moment(metrics.since)} to {_moment(metrics.until)} UTC, medians{asked}"
    return Group(table, Text(), Text(window, style="dim"))


def verification_text(found: Verification) -> RenderableType:
    """The findings, each with commit, author, file and what it changed; then notices and the sum."""
    from rich.console import Group

    lines: list[Text] = []
    for one in found.undone:
        who = f"commit {one.note.commit[:12]} by {one.note.author}, {_moment(one.note.time)} UTC"
        lines += [Text(who, style="red"), Text(f"  {one.code}: {one.sentence}")]
    for finding in found.findings:
        lines += _finding(finding, "red")
    for finding in found.accepted:
        lines += [*_finding(finding, "yellow"), Text(f"  accepted by {finding.accepted}")]
    for notice in found.notices:
        lines.append(Text(f"note: {_notice(notice)}", style="dim"))
    lines.append(Text(f"trusted: {found.begin}"))
    where = ", ".join(found.environments) or "no environment with upstreams"
    if found.findings:
        sum_ = f"{count(len(found.findings), 'change')} of {found.judged} did not come through the gates of {where}"
    else:
        sum_ = f"{count(found.judged, 'change')} in {where}: all came through their gates"
    accepted = f"; {len(found.accepted)} that did not are accepted" if found.accepted else ""
    undone = f"; {count(len(found.undone), 'commit')} took gates, holds or freezes away" if found.undone else ""
    style = "bold red" if found.findings or found.undone else "bold green"
    lines.append(Text(sum_ + accepted + undone, style=style))
    return Group(*lines)


def verification_json(found: Verification) -> dict[str, Any]:
    """The documented shape of ``promote verify --format json``."""
    return {
        "version": _VERSION,
        "head": found.head,
        "environments": list(found.environments),
        "judged": found.judged,
        "trusted": found.trusted,
        "begin": found.begin,
        "undone": [_notice_json(one) for one in found.undone],
        "findings": [_finding_json(one) for one in found.findings],
        "accepted": [_finding_json(one) for one in found.accepted],
        "notices": [_notice_json(one) for one in found.notices],
    }


def _notice_json(one: Notice) -> dict[str, Any]:
    return {"code": one.code, "commit": one.note.commit, "author": one.note.author, "sentence": one.sentence}


def _finding_json(one: Finding) -> dict[str, Any]:
    event = one.event
    return {
        "commit": event.note.commit,
        "landed": event.commit,
        "author": event.note.author,
        "committer": event.note.committer,
        "time": instant(event.time),
        "subject": event.note.subject,
        "environment": event.environment,
        "app": event.app,
        "file": event.file,
        "before": [pin_json(pin) for pin in event.before or ()],
        "after": [pin_json(pin) for pin in event.after or ()],
        "tree": event.tree,
        "reasons": [{"code": reason.code, "sentence": reason.sentence} for reason in one.reasons],
        "accepted": one.accepted,
    }


def _finding(one: Finding, style: str) -> Iterable[Text]:
    event = one.event
    before, after = named(event.before or ()), named(event.after or ())
    if before == after and event.config != event.before_config:
        before, after = (f"release {one[:12]}" if one else "none" for one in (event.before_tree, event.tree))
    elif before == after:
        before, after = _digests(event.before), _digests(event.after)
    committer = f" (committed by {event.note.committer})" if event.note.committer != event.note.author else ""
    landed = f", landed with {event.commit[:7]}" if event.commit != event.note.commit else ""
    yield Text(
        f"{event.file}: commit {event.note.commit[:12]} by {event.note.author}{committer}{landed}, "
        f"{_moment(event.time)} UTC, changed {event.app} in {event.environment} from {before} to {after}",
        style=style,
    )
    for reason in one.reasons:
        yield Text(f"  {reason.code}: {reason.sentence}")


def _digests(pins: Iterable[Any] | None) -> str:
    return ", ".join(f"{pin}@{(pin.digest or 'no digest').removeprefix('sha256:')[:_DIGEST]}" for pin in pins or ())


def _notice(one: Notice) -> str:
    return f"{one.note.commit[:12]} by {one.note.author}: {one.sentence}"


def _what(one: Entry) -> Text:
    words = {
        "start": "stood here when history begins",
        "promote": f"promoted from {one.source}",
        "set": "set",
        "rollback": "rolled back",
        "edit": "edited by hand",
        "move": "moved here from another folder",
        "remove": "removed",
        "hold": f"held until {_moment(one.until)}" if one.until else "held",
        "release-hold": "hold released",
        "freeze": f"environment frozen until {_moment(one.until)}" if one.until else "environment frozen",
        "unfreeze": "environment unfrozen",
        "approve": "approved",
        "withdraw": "approval withdrawn",
        "approve-gates": "gates approved",
    }[one.kind]
    style = {"edit": "yellow", "rollback": "magenta", "remove": "red"}.get(one.kind, "")
    if one.kind == "rollback" and one.until:
        words += f", held until {_moment(one.until)}"
    return Text(words, style=style)


def _release(one: Entry) -> str:
    digest = one.pins[0].digest if len(one.pins) == 1 else None
    short = f" {digest.removeprefix('sha256:')[:_DIGEST]}" if digest else ""
    return f"{one.name}{short}" if one.name else "–"


def _why(one: Entry) -> str:
    passed = [gate for gate, code in one.gates.items() if code == PASSED]
    skipped = [gate for gate, code in one.gates.items() if code == NOT_ASKED]
    parts = [
        f"set {one.set_name}" if one.set_name else "",
        f"break-glass: {one.break_glass}" if one.break_glass else "",
        one.reason or "",
        f"passed {', '.join(passed)}" if passed else "",
        f"not asked: {', '.join(skipped)}" if skipped else "",
        *(f"{gate}: {code}" for gate, code in one.gates.items() if code not in {PASSED, NOT_ASKED}),
        f"approved by {', '.join(map(_approver, one.approved_by))}" if one.approved_by else "",
        one.remark or "",
    ]
    return "; ".join(part for part in parts if part)


def _name(who: str) -> str:
    """A person without the address, which JSON has."""
    return who.partition(" <")[0]


def _approver(who: str) -> str:
    """The same of an ``Approved-By`` trailer, which says what proves it."""
    name, _, rest = who.partition(" <")
    proof = rest.partition("> ")[2]
    return f"{name} {proof}" if proof else name


def _cell(cell: Cell | None, now: datetime.datetime) -> _Lines:
    if cell is None:
        return [("–", "dim")]
    running = cell.running
    name = "unreadable" if running.problem else named(running.pins, running.tree)
    here = f"{name} · {_age(now - running.since)}"
    lines = [(here, ""), *((f"← {one.name}", "yellow" if one.blocked else "green") for one in cell.waiting)]
    if cell.behind:
        lines.append((f"base {count(len(cell.behind), 'commit')} behind main", "dim"))
    return lines


def _waiting(app: str, cell: Cell, one: Waiting, now: datetime.datetime) -> Iterable[Text]:
    blocked = one.blocked
    if not blocked:
        yield Text(f"{app}: {one.name} may go from {one.source} to {cell.environment} now")
        return
    when = f", next time {_moment(one.next_time)} UTC" if one.next_time else ""
    age = _age(now - one.since)
    yield Text(f"{app}: {one.name} waits in {one.source} since {age} for {cell.environment}{when}")
    for verdict in blocked:
        yield Text(f"  {verdict.gate}: {verdict.sentence}")


def _figures(one: Figures) -> list[str]:
    rate = f" ({one.failure_rate:.0%})" if one.failure_rate else ""
    return [
        str(one.deployments),
        f"{one.per_day:.2f}",
        _span(one.lead_times),
        f"{one.failed}{rate}",
        _span(one.restores),
        _span(one.live_delays),
    ]


def _span(values: tuple[float, ...]) -> str:
    middle = median(values)
    return "–" if middle is None else say_duration(datetime.timedelta(seconds=middle))


def _age(age: datetime.timedelta) -> str:
    """An age in its largest unit; nothing is younger than now, whatever a clock said."""
    return _LARGEST.sub(r"\1", say_duration(max(age, datetime.timedelta())))


def _moment(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _cut(cut: str | None) -> list[Text]:
    if cut is None:
        return []
    words = f"this clone is shallow: its history is cut at commit {cut[:7]}, and ages count from there at most"
    return [Text(words, style="yellow")]
