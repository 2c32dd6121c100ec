"""What a person or a pipeline wants. An intent names things and no commit, so it can be planned again on any head.

Moments are fixed when the intent is made: a retry must not lengthen a hold.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cartwright.registry.reference import Reference

__all__ = [
    "Approve",
    "ApproveGates",
    "Freeze",
    "Hold",
    "Intent",
    "Promote",
    "ReleaseHold",
    "Rollback",
    "SetImage",
    "Unfreeze",
    "Withdraw",
]


@dataclass(frozen=True, kw_only=True)
class Promote:
    """Apps get what the source environment runs of them; all in one commit, or none."""

    source: str
    target: str
    apps: tuple[str, ...] = ()
    """``name`` or ``group/name`` each."""
    set_name: str | None = None
    """A set of environments/sets.yaml, in place of ``apps``."""
    along: tuple[str, ...] = ()
    """More apps, beside ``apps`` or the set."""
    everything: bool = False
    """Every app that differs and that its gates let through, in place of ``apps``. The others wait."""
    only: str | None = None
    """``images`` or ``config``, where one part of the release moves and the target keeps the rest."""
    bring: tuple[str, ...] = ()
    """Files and folders that come along though no overlay refers to them yet, by their path."""


@dataclass(frozen=True, kw_only=True)
class SetImage:
    """An app gets the images that are named."""

    app: str
    environment: str
    images: tuple[Reference, ...]
    """As a build pushed them: with tag and digest."""
    confirmed: bool = True
    """Whether the registry was asked; else a person gave the digests."""


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """An app gets a release that the environment ran before."""

    app: str
    environment: str
    reason: str
    release: str | None = None
    """Its tag or digest; by default the one before the release that runs now first came."""
    hold_until: datetime.datetime | None = None
    """End of the hold that keeps automation from undoing it; None leaves none."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Apps keep what they run."""

    apps: tuple[str, ...]
    environment: str
    reason: str
    until: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class ReleaseHold:
    """The holds of apps end."""

    apps: tuple[str, ...]
    environment: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Nothing comes into an environment for a time."""

    environment: str
    reason: str
    begin: datetime.datetime
    until: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Unfreeze:
    """The freezes that people decided end; those of environment.yaml stay."""

    environment: str
    reason: str
    freeze: str | None = None
    """The reason of the freeze that ends; all of them by default."""


@dataclass(frozen=True, kw_only=True)
class Approve:
    """Who commits approves what the source runs, for the target."""

    apps: tuple[str, ...]
    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """The approvals of who commits end: those of these apps for the environment, of whatever release."""

    apps: tuple[str, ...]
    environment: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ApproveGates:
    """Who commits approves what an environment asks for now, where that is less than it was."""

    environment: str
    reason: str


Intent = Promote | SetImage | Rollback | Hold | ReleaseHold | Freeze | Unfreeze | Approve | Withdraw | ApproveGates
