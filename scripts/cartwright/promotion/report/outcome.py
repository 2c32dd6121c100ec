"""What came of an intent, as text for people and as JSON for programs (schema: docs/promotion.schema.json)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cartwright.history.trailers import NOT_ASKED, PASSED
from cartwright.kernel.moments import instant

if TYPE_CHECKING:  # a promotion without --dry-run renders nothing, and loads nothing that renders
    from cartwright.promotion.land.deliver import Result
    from cartwright.promotion.moves import Move
    from cartwright.promotion.report.preview import ObjectDiff
    from cartwright.promotion.request.forge import Proposed
    from cartwright.promotion.verdict import Verdict

__all__ = ["VERSION", "as_data", "as_text", "exit_code"]

VERSION = 3
"""Version of the JSON; a change that breaks a reader raises it."""
_MERGE = {
    "draft": "a draft until the gates let it pass",
    "review": "it waits for reviews; run the command again after them",
    "auto": "merged by the forge once its own conditions are met",
    "queued": "in the merge queue",
    "merged": "merged",
    "by-hand": "ready to be merged",
}
_MARKS = {PASSED: ("✓", "green"), NOT_ASKED: ("–", "dim")}
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def exit_code(result: Result, request: Proposed | None = None) -> int:
    """1 where a gate blocks, whether nothing was written or the request may not be merged yet; else 0."""
    return 1 if result.status == "blocked" or (request is not None and request.is_blocked) else 0


def as_data(result: Result, objects: Sequence[ObjectDiff] | None, request: Proposed | None = None) -> dict[str, Any]:
    """The result for JSON, version 3. ``objects`` is None where nothing was rendered."""
    plan = result.plan
    return {
        "version": VERSION,
        "operation": plan.operation,
        "status": result.status,
        "from": plan.source,
        "to": plan.target.name,
        "apps": [_move(move) for move in plan.moves],
        "files": [one.path for one in plan.edits],
        "gates": [_verdict(one) for one in result.verdicts],
        "waiting": [_verdict(one) for one in result.waiting],
        "nextTime": instant(result.next_time) if result.next_time else None,
        "base": plan.snapshot.head.commit,
        "branch": plan.snapshot.head.short_branch,
        "commit": result.commit,
        "message": result.message.render() if result.message else None,
        "attempts": result.attempts,
        "objects": None if objects is None else [_object(one) for one in objects],
        "request": None if request is None else _request(request),
    }


def _request(request: Proposed) -> dict[str, Any]:
    return {
        "number": request.number,
        "url": request.url,
        "status": request.status,
        "merge": request.merge,
        "remark": request.remark,
        "superseded": list(request.superseded),
        "failure": str(request.failure) if request.failure else None,
    }


def _move(move: Move) -> dict[str, Any]:
    return {
        "app": move.app,
        "file": move.file,
        "release": [{"image": pin.image, "tag": pin.tag, "digest": pin.digest} for pin in move.release.pins],
        "changes": [
            {"image": one.image, "key": one.key, "line": one.line, "old": one.old, "new": one.new}
            for one in move.changes
        ],
        "unmatched": list(move.unmatched),
        "tree": move.release.tree.id if move.release.tree else None,
        "parts": sorted(move.parts),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "app": verdict.app,
        "gate": verdict.gate,
        "code": verdict.code,
        "passed": verdict.passed,
        "sentence": verdict.sentence,
        "until": instant(verdict.until) if verdict.until else None,
    }


def _object(one: ObjectDiff) -> dict[str, Any]:
    who = one.identity
    return {
        "group": who.group,
        "kind": who.kind,
        "namespace": who.namespace,
        "name": who.name,
        "change": one.change,
        "diff": list(one.lines),
    }


def as_text(result: Result, objects: Sequence[ObjectDiff] | None, request: Proposed | None = None) -> Text:
    """The result for people; colours show on a terminal only."""
    text = Text()
    _say_moves(text, result)
    if result.status == "unchanged":
        return text
    for one in objects or ():
        text.append(f"\n{one.change} {one.identity}\n", style="bold")
        for line in one.lines:
            text.append(f"{line}\n", style=_STYLES.get(line[:1], ""))
    _say_gates(text, result, everything=objects is not None)
    if request is None:
        _say_end(text, result, objects)
    else:
        _say_request(text, request)
    return text


def _say_moves(text: Text, result: Result) -> None:
    plan = result.plan
    target = plan.target.name
    unchanged = [move for move in plan.moves if not move.changes and plan.operation != "approve"]
    for move in unchanged:
        release = ", ".join(move.release.tags)
        origin = f" of {plan.source}" if plan.source else ""
        end = "" if result.status == "unchanged" and move is plan.moves[-1] else "\n"
        text.append(f"{move.app}: {target} runs {release}{origin} already, nothing to move{end}")
    if result.status == "unchanged" and not plan.moves:
        text.append(f"{target}: nothing to change")
    for move in plan.moves:
        if move in unchanged:
            continue
        arrow = f"{plan.source} → {target}" if plan.source else f"{plan.operation} in {target}"
        text.append(f"{move.app}: {arrow}\n", style="bold")
        for change in move.changes:
            text.append(f"  {move.file}:{change.line}  {change.key}  {change.old} → {change.new}\n")
        for image in move.unmatched:
            text.append(f"  {image}: only {target} pins it, left as it is\n")
    if not plan.moves and result.message:
        text.append(f"{result.message.subject}\n", style="bold")


def _say_gates(text: Text, result: Result, *, everything: bool) -> None:
    """What blocks, always; what passed as well in a dry run."""
    overruled = result.status not in {"blocked", "requested"}
    shown = [one for one in (*result.verdicts, *result.waiting) if everything or not one.passed]
    if shown and everything:
        text.append("\n")
    several = len({one.app for one in shown}) > 1
    for one in shown:
        mark, style = _MARKS.get(one.code, ("✗", "red"))
        app = f"{one.app}: " if several else ""
        until = f" (until {instant(one.until)})" if one.until and not one.passed else ""
        over = " (passed over)" if not one.passed and overruled and one in result.verdicts else ""
        text.append(f"  {mark} {one.gate}: ", style=style)
        text.append(f"{app}{one.sentence} [{one.code}]{until}{over}\n")


def _say_request(text: Text, request: Proposed) -> None:
    for url in request.superseded:
        text.append(f"  closed {url}, which it replaces\n")
    remark = f"; {request.remark}" if request.remark else ""
    state = "unfinished" if request.failure and not request.is_blocked else _MERGE[request.merge]
    text.append(f"{request.status} {request.url}: {state}{remark}")


def _say_end(text: Text, result: Result, objects: Sequence[ObjectDiff] | None) -> None:
    if result.status == "blocked":
        when = f"; it could go at {instant(result.next_time)}" if result.next_time else ""
        text.append(f"blocked, nothing was written{when}", style="bold red")
    elif result.commit and result.destination == result.plan.snapshot.head.short_branch:
        text.append(f"committed {result.commit[:7]} on {result.destination}; push it and Argo CD applies it")
    elif result.commit:
        text.append(f"committed {result.commit[:7]} and pushed it to {result.destination}")
    elif objects or not result.plan.moves or result.plan.operation == "approve":
        count = f"{_count(len(objects))}, " if objects else ""
        text.append(f"\n{count}nothing was written (dry run)")
    elif any(change.image for move in result.plan.moves for change in move.changes):
        text.append("\nno object changes: the overlay's images entry matches nothing in its base (dry run)")
    else:
        text.append("\nno object changes, nothing was written (dry run)")


def _count(objects: int) -> str:
    return "1 object changes" if objects == 1 else f"{objects} objects change"
