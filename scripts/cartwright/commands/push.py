"""``cartwright push``: this clone's commits to the embedded cluster."""

from __future__ import annotations

from cartwright.cluster.pushing import push as push_to
from cartwright.cluster.state import Layout
from cartwright.kernel.output import write
from cartwright.kernel.paths import state_dir
from cartwright.tree.repository import find_root


def push() -> None:
    """Push this clone's commits to the embedded cluster, on top of what its remote has.

    The remote may be ahead of the clone: `cartwright up` records the images that it built in dev there. The current
    branch is rebased onto the remote's main, then pushed to it, and Argo CD syncs it. Uncommitted changes stay out.
    A conflict leaves the branch as it was.

    The clone then has the remote's commits, too: digests of images that only this machine has among them.

    Example: `git commit --all --message 'More memory' && cartwright push`.

    Exit codes: 0 the remote has all of the branch, 1 a conflict or a push that is refused, 2 no cluster, or changes
    that must be committed first.
    """
    root = find_root()
    push_to(root, Layout(state_dir(root).resolve()), say=write)
