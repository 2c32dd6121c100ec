"""``cartwright push``: this clone's commits to the embedded cluster."""

from __future__ import annotations

from cartwright.cluster.pushing import push as push_to
from cartwright.cluster.state import Layout
from cartwright.kernel.output import write
from cartwright.kernel.paths import state_dir
from cartwright.tree.repository import find_root


def push() -> None:
    """Push this clone's commits to the embedded cluster, rebased on its remote.

    The remote may be ahead of the clone: `cartwright up` records the images that it built in dev there. The current
    branch is rebased onto the remote's main and pushed, and Argo CD syncs it. Uncommitted changes are not pushed.
    A conflict leaves the branch unchanged.

    The clone then has the remote's commits too, with digests of images that exist only on this machine.

    Example: `git commit --all --message 'More memory' && cartwright push`.

    Exit codes: 0 the remote has the whole branch, 1 a conflict or a refused push, 2 no cluster, or changes that must be
    committed first.
    """
    root = find_root()
    push_to(root, Layout(state_dir(root).resolve()), say=write)
