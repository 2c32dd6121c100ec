"""Options of ``cartwright promote`` that say which forge is meant, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cartwright.kernel.errors import UserError

if TYPE_CHECKING:
    from cartwright.promotion.land.remote import Remote
    from cartwright.promotion.request.forge import Forge

__all__ = ["ForgeOptions"]


@dataclass(frozen=True, kw_only=True)
class ForgeOptions:
    """A branch of a remote, and the forge that has it."""

    remote: Annotated[
        str | None,
        typer.Option("--remote", metavar="NAME|URL", help="The remote; the current branch's own, or origin."),
    ] = None
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="NAME", help="The remote's branch; the one that is followed here.")
    ] = None
    forge: Annotated[
        str | None, typer.Option("--forge", metavar="github|gitlab", help="The forge; as the remote's URL says.")
    ] = None
    project: Annotated[
        str | None, typer.Option("--project", metavar="OWNER/NAME", help="The forge's project; as the URL says.")
    ] = None
    api: Annotated[
        str | None, typer.Option("--api", metavar="URL", help="Where the forge's API answers, if elsewhere.")
    ] = None

    def base(self, root: Path) -> Remote:
        """The branch that is meant.

        Raises:
            UserError: no such remote, or HEAD is on no branch and none is named.
        """
        from cartwright.promotion.land.remote import pick_remote

        return pick_remote(root, name=self.remote, branch=self.branch)

    def connect(self, base: Remote) -> Forge:
        """The forge that is meant. The token is looked for; nothing is asked yet.

        Raises:
            UserError: it can't be told which forge or project is meant.
            ForgeError: no token.
        """
        from cartwright.history.git import git
        from cartwright.promotion.request.forge import connect
        from cartwright.promotion.request.project import find_project

        known = git(base.root, "remote", "get-url", base.remote, accept=(0, 2, 128))
        url = known.stdout.strip() if known.returncode == 0 else base.remote
        return connect(find_project(url, kind=self.forge, path=self.project, api=self.api))

    def require_unused(self, hint: str) -> None:
        """Prove that nothing was said about a forge that is not asked.

        Raises:
            UserError: an option makes sense with a request only.
        """
        for name in ("forge", "project", "api"):
            if getattr(self, name) is not None:
                raise UserError(f"--{name} says where a request is opened", hint=hint)
