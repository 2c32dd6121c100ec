"""Where the release that an environment runs came from: through its gates, or by hand."""

from __future__ import annotations

from cartwright.history.record import Record
from cartwright.history.snapshot import Snapshot
from cartwright.promotion.audit.changes import explain
from cartwright.promotion.audit.verify import Finding, verify

__all__ = ["hand_edit"]


def hand_edit(snapshot: Snapshot, record: Record, environment: str, app: str) -> Finding | None:
    """Why the release that an environment runs now did not come by a promotion; None where it did.

    Raises:
        UserError: environments/record.yaml does not fit its schema: file and line.
    """
    running = record.newest(environment, app)
    if running is None or running.tree is None:
        return None
    if record.cut is None and explain(record, [running])[0].kind != "edit":
        return None  # its trailers tell of it; judging all that came before takes long
    for one in verify(snapshot, record.only(app)).findings:
        if (one.event.environment, one.event.index) == (environment, running.index):
            return one if any(reason.code == "hand-edit" for reason in one.reasons) else None
    return None
