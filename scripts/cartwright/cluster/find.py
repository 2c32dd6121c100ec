"""Which cluster can be asked about Argo CD's Applications."""

from __future__ import annotations

import os
from pathlib import Path

from cartwright.cluster.state import Layout, State
from cartwright.kernel.paths import state_dir
from cartwright.promotion.argo import HealthSource, Hub, NoHub

__all__ = ["find_hub"]


def find_hub(root: Path, *, kubeconfig: Path | None = None, context: str | None = None) -> HealthSource:
    """Where to ask: the options, ``CARTWRIGHT_KUBECONFIG`` and ``CARTWRIGHT_CONTEXT``, the embedded cluster of this
    repository, then ``KUBECONFIG``; the first that is given.

    kubectl's own default is not among them: whichever cluster somebody used last must not vouch for a release.
    """
    if kubeconfig is None and "CARTWRIGHT_KUBECONFIG" in os.environ:
        kubeconfig = Path(os.environ["CARTWRIGHT_KUBECONFIG"])
    context = context or os.environ.get("CARTWRIGHT_CONTEXT")
    if kubeconfig is not None:
        return Hub(kubeconfig=kubeconfig, context=context)
    embedded = _embedded(root)
    if embedded is not None and context is None:
        return Hub(kubeconfig=embedded)
    if "KUBECONFIG" in os.environ or context is not None:
        return Hub(context=context)
    return NoHub()


def _embedded(root: Path) -> Path | None:
    """The kubeconfig of the embedded cluster's hub, where one runs."""
    folder = state_dir(root)
    if not (folder / "state.json").is_file():
        return None
    layout = Layout(root=folder.resolve())
    state = State.load(layout)
    file = layout.kubeconfig(state.hub) if state and state.hub else None
    return file if file is not None and file.is_file() else None
