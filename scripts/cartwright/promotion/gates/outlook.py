"""Check: the environment as it will be passes `cartwright check`, as far as it passes today.

Asked where environment.yaml says ``check: true``, once for all apps that move together, and last: it renders. Only what
the promotion would bring counts; what is wrong today is no reason to wait. So an edge whose other end does not come
along stops a promotion, and the set that is whole does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import Finding
from cartwright.promotion.gates.case import Case
from cartwright.promotion.plan import Plan
from cartwright.promotion.verdict import Verdict

__all__ = ["ERRORS", "GATE", "by_app", "judge", "new_errors"]

GATE = "check"
ERRORS = "check-errors"
_SHOWN = 2
"""So many findings are told; `--dry-run` shows what changes, `check` the rest."""


def judge(plan: Plan, cases: Sequence[Case]) -> tuple[Verdict, ...]:
    """A verdict on every app. Code: ``check-errors``."""
    errors = by_app(new_errors(plan), plan)
    found = []
    for case in cases:
        its = errors[case.app]
        if not its:
            found.append(case.passed(GATE, f"{plan.target.name} with {case.release} passes `cartwright check`"))
            continue
        told = "; ".join(f"{one.file}:{one.line}: {one.rule}: {one.message}" for one in its[:_SHOWN])
        more = f" and {len(its) - _SHOWN} more" if len(its) > _SHOWN else ""
        found.append(case.blocked(GATE, ERRORS, f"{plan.target.name} would fail `cartwright check`: {told}{more}"))
    return tuple(found)


def by_app(errors: Sequence[Finding], plan: Plan) -> Mapping[str, Sequence[Finding]]:
    """The errors of each app that moves. What stands in the folder of none of them may be any app's doing."""
    folders = {move.app: f"{move.application.path}/" for move in plan.changed}
    placed = tuple(folders.values())
    return {
        app: [one for one in errors if one.file.startswith(folder) or not one.file.startswith(placed)]
        for app, folder in folders.items()
    }


def new_errors(plan: Plan) -> list[Finding]:
    """The errors of the target as it will be that it does not have today.

    Raises:
        UserError: the environment can't be judged, today or then: file and line.
    """
    from cartwright.check.cached import check  # a promotion that asks for no check loads none of it
    from cartwright.promotion.outlook import with_edits
    from cartwright.tree.repository import open_tree

    root, name = plan.snapshot.root, plan.target.name
    tree = open_tree(root, plan.snapshot.head.commit)
    known = {(one.rule, one.message, one.resource) for one in check(tree, environments=[name]).findings}
    with with_edits(tree, tree.content_files, plan.edits, repository=root) as outlook:
        try:
            then = check(outlook, environments=[name]).findings
        except UserError as error:
            raise UserError(f"{name} as it will be: {error}") from error
    return [one for one in then if one.severity == "error" and (one.rule, one.message, one.resource) not in known]
