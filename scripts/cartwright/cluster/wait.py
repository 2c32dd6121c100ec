"""Waiting until Argo CD has brought about a commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cartwright.cluster.argocd import ROOT_NAME
from cartwright.promotion.argo import AppState
from cartwright.tree.applications import Application

__all__ = ["Snapshot", "wait_for"]

_POLL_SECONDS = 2.0
"""A round takes a tenth of a second of the processors that bring about what is waited for."""


@dataclass(frozen=True)
class Snapshot:
    """What Argo CD says at one moment of the Applications that there should be."""

    commit: str
    """What they are to be at."""
    expected: tuple[Application, ...]
    """The Applications that the repository describes, the root left out."""
    statuses: Mapping[str, AppState]
    """What Argo CD knows, by name."""
    seconds: float
    """Since the wait began."""

    def is_done(self, name: str) -> bool:
        """Whether the Application is Synced and Healthy at the commit."""
        status = self.statuses.get(name)
        return status is not None and status.is_good and status.revision == self.commit

    @property
    def names(self) -> tuple[str, ...]:
        """Every Application that is waited for, the root first."""
        return ROOT_NAME, *(application.name for application in self.expected)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The Applications that are not there yet."""
        return tuple(name for name in self.names if not self.is_done(name))

    def reason(self, name: str) -> str:
        """Why an Application is not there yet, with Argo CD's own message where it has one."""
        status = self.statuses.get(name)
        if status is None:
            return "not generated yet" if name != ROOT_NAME else "not applied yet"
        if status.is_good and status.revision != self.commit:
            return f"at {status.revision[:7] or 'no commit'}, not yet at {self.commit[:7]}"
        verdict = f"{status.sync}, {status.health}"
        return f"{verdict}: {status.trouble}" if status.trouble else verdict


def wait_for(
    expected: Sequence[Application],
    commit: str,
    *,
    read: Callable[[], Mapping[str, AppState]],
    between: Callable[[], None],
    show: Callable[[Snapshot], None],
    timeout: float,
) -> Snapshot:
    """Wait until every expected Application is Synced and Healthy at the commit, or the time is up.

    Args:
        expected: the Applications, the root left out.
        commit: what Argo CD is to bring about.
        read: asks Argo CD.
        between: called once a round, for work that depends on what has appeared meanwhile.
        show: called with every snapshot.
        timeout: seconds.

    Returns:
        The last snapshot; ``unfinished`` is empty where all went well.
    """
    began = time.monotonic()
    while True:
        between()
        snapshot = Snapshot(commit=commit, expected=tuple(expected), statuses=read(), seconds=time.monotonic() - began)
        show(snapshot)
        if not snapshot.unfinished or snapshot.seconds > timeout:
            return snapshot
        time.sleep(_POLL_SECONDS)
