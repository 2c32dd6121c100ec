"""Options of ``cartwright promote`` for pull and merge requests, shared by the commands that move releases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cartwright.kernel.errors import UserError

if TYPE_CHECKING:
    from cartwright.promotion.evidence import Sources
    from cartwright.promotion.intents import Intent
    from cartwright.promotion.land.deliver import Permission, Result
    from cartwright.promotion.request.forge import Proposed

__all__ = ["RequestOptions"]


@dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """Whether and where a request is opened."""

    pr: Annotated[
        bool, typer.Option("--pr", help="Open a pull or merge request in place of a push; a draft while a gate blocks.")
    ] = False
    auto_merge: Annotated[
        bool, typer.Option("--auto-merge/--no-auto-merge", help="With --pr: the forge merges it once all gates pass.")
    ] = True
    forge: Annotated[
        str | None,
        typer.Option("--forge", metavar="github|gitlab", help="With --pr; by default as the remote's URL says."),
    ] = None
    project: Annotated[
        str | None, typer.Option("--project", metavar="OWNER/NAME", help="With --pr; by default as the URL says.")
    ] = None
    api: Annotated[
        str | None, typer.Option("--api", metavar="URL", help="With --pr: where the forge's API answers, if elsewhere.")
    ] = None

    def deliver(
        self,
        root: Path,
        intent: Intent,
        *,
        remote: str | None,
        branch: str | None,
        sources: Sources,
        permission: Permission,
    ) -> tuple[Result, Proposed | None]:
        """Deliver an intent as a request. The token is looked for before anything is pushed.

        Raises:
            UserError, Blocked: see :func:`cartwright.promotion.request.proposal.deliver_request`.
        """
        from cartwright.history.git import git
        from cartwright.promotion.land.remote import pick_remote
        from cartwright.promotion.request.forge import connect, find_project
        from cartwright.promotion.request.proposal import deliver_request

        base = pick_remote(root, name=remote, branch=branch)
        known = git(root, "remote", "get-url", base.remote, accept=(0, 2, 128))
        url = known.stdout.strip() if known.returncode == 0 else base.remote
        project = find_project(url, kind=self.forge, path=self.project, api=self.api)
        return deliver_request(
            root,
            intent,
            base=base,
            forge=connect(project),
            sources=sources,
            permission=permission,
            auto_merge=self.auto_merge,
        )

    def require_unused(self) -> None:
        """Prove that nothing was said about a request that is not wanted.

        Raises:
            UserError: an option makes sense with ``--pr`` only.
        """
        for name in ("forge", "project", "api"):
            if getattr(self, name) is not None:
                raise UserError(f"--{name} says where a request is opened", hint="add --pr")
