"""``cartwright init``: give a fork the names of its owner."""

from __future__ import annotations

from typing import Annotated

import typer

from cartwright.kernel.output import write
from cartwright.tree.repository import find_root

_BY_HAND = """\
left to do by hand (docs/fork.md says how):
- identity provider: log-in and groups of Argo CD, and the RBAC of each cluster
- secrets: provide those that manifests name, a key that signs images, and a token for CI
- DNS: names and certificates for the gateway and for Argo CD
- branch protection: required checks, and reviews by .github/CODEOWNERS; create the teams that it names
- images: build and push them to the new registry, then `cartwright promote set`
- approvers: environments/APPROVERS, if you use approvals"""


def init(
    org: Annotated[str, typer.Option(help="Organisation or group of the teams in .github/CODEOWNERS.")],
    repo: Annotated[str, typer.Option(help="Address of the repository: https://HOST/PATH, with .git or without.")],
    registry: Annotated[str, typer.Option(help="What the images' names begin with: HOST/PATH.")],
) -> None:
    """Give a fork the names of its owner, in every file where they stand.

    names.yaml says which names the repository has now. All files change or none. They are committed, and
    environments/record.yaml accepts that commit: names stand in releases too, which only promotions change otherwise.
    Run it again with the same names, and nothing changes; with others, and they take the place of the first.

    Example: `cartwright init --org example --repo https://git.example.com/shop --registry registry.example.com/shop`.

    Exit codes: 0 done, 2 a name is malformed, or stands in a file for something else, or a file to change has changes
    that are not committed.
    """
    from cartwright.scaffold.renaming import commit_renames, find_renames
    from cartwright.tree.names import Names

    root = find_root()
    names = Names(organisation=org, repository=repo.removesuffix("/").removesuffix(".git"), registry=registry)
    renamed = find_renames(root, names)
    commits = commit_renames(root, renamed, names)
    for path in renamed:
        write(f"changed {path}")
    write(f"{len(renamed)} files changed" if renamed else "nothing to change: these are its names already")
    for subject in commits:
        write(f"committed: {subject}")
    write(_BY_HAND)
