"""The verdict on a tree: from the cache where nothing that decides it has changed, else judged anew."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

from cartwright.kernel import memo
from cartwright.kernel.findings import CheckReport
from cartwright.tools import catalogue_hash
from cartwright.tree.repository import TREES, FolderTree

__all__ = ["check"]


def check(
    tree: FolderTree,
    *,
    environments: Sequence[str] = (),
    apps: Sequence[str] = (),
    use_cache: bool = True,
    today: datetime.date | None = None,
) -> CheckReport:
    """Render, validate and judge.

    Args:
        tree: the files.
        environments: names of those to judge; all by default.
        apps: ``group/name`` or ``name`` of those to report on; all by default. Their environments are judged whole,
            because objects refer to each other.
        use_cache: reuse renderings and verdicts of unchanged content.
        today: the day on which waivers are read; today by default.

    Raises:
        UserError: an unknown environment or app, or configuration that can't be read.
        ToolError: a tool is missing or failed.
    """
    day = today or datetime.datetime.now(tz=datetime.UTC).date()
    key = memo.digest(
        [
            memo.code_hash(),
            tree.content_hash,
            tree.commit or "",  # rules across environments judge by the history too
            catalogue_hash(),
            day.isoformat(),
            json.dumps([sorted(environments), sorted(apps)]),
        ]
    )
    if use_cache and (stored := memo.load("reports", key)):
        return CheckReport.from_cache(stored)
    # Imported here: what a warm check does not need would be most of its time.
    from cartwright.check.judge import judge

    report = judge(tree, environments=environments, apps=apps, use_cache=use_cache, today=day)
    if report.lasting:
        memo.store("reports", key, report.to_cache())
    memo.prune(["reports", "verdicts", "rendered", "lint", "facts", "record", "valid"], folders=[TREES])
    return report
