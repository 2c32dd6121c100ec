"""Looking for newer versions of what an environment runs of an app: the registry is asked, nothing is written."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from cartwright.history.pinned import Pinned
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError, nearest
from cartwright.promotion.builds import read_builds
from cartwright.promotion.gates.registry import platforms_of
from cartwright.promotion.published import resolve
from cartwright.promotion.versions import VersionPolicy, natural
from cartwright.registry.api import DEFAULT_LIMITS, Api, Limits
from cartwright.registry.reference import LATEST, Reference, parse_reference
from cartwright.registry.tags import list_tags
from cartwright.tree.environments import Environment, pick_environment

__all__ = ["Discovered", "Discovery", "discover", "entry_environment"]

_ATTACHED = re.compile(r"sha256-[0-9a-f]{64}(?:\..+)?")
"""Tags that signatures and attestations lie under."""


@dataclass(frozen=True)
class Discovered:
    """What the registry has of one image."""

    image: str
    """Its repository."""
    current: Pinned
    """What the environment runs."""
    newest: Reference | None
    """The version to go to, with tag and digest; None where nothing is newer."""
    tags: int
    """How many tags the repository has; ``latest`` and what signatures lie under are not counted."""
    unread: int
    """How many of these are no versions to the policy."""


@dataclass(frozen=True)
class Discovery:
    """What the registries have of an app."""

    app: str
    environment: str
    policy: str
    images: tuple[Discovered, ...]

    @property
    def newer(self) -> tuple[Reference, ...]:
        """The versions to go to, one for each image that has a newer one."""
        return tuple(one.newest for one in self.images if one.newest is not None)


def entry_environment(snapshot: Snapshot, name: str | None) -> Environment:
    """The environment that is named; by default the one where releases enter.

    Raises:
        UserError: no such environment, or several have no upstream and none is named.
    """
    if name is not None:
        return pick_environment(snapshot.environments, name)
    entries = [one for one in snapshot.environments.values() if not one.upstreams]
    if len(entries) != 1:
        names = ", ".join(one.name for one in entries)
        raise UserError("releases enter at several environments", hint=f"name one with --env: {names}")
    return entries[0]


def discover(
    snapshot: Snapshot,
    app: str,
    environment: Environment,
    policy: VersionPolicy,
    *,
    images: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Discovery:
    """Ask the registry of each image that the environment pins of an app.

    Args:
        images: look at these repositories only; at all by default.
        limits: how long to wait for a registry.

    Raises:
        UserError: no such app or image.
        RegistryError: a registry does not answer; the tag that runs moved; or the newer image is not built for the
            environment's platforms.
    """
    app = snapshot.pick_app(app, environments=[environment.name])
    release = snapshot.release(environment.name, app)
    pins = {pin.source or pin.image: pin for pin in release.pins}
    for name in images:
        if name not in pins:
            raise UserError(f"images has no entry '{name}'", file=release.file, hint=nearest(name, pins))
    if not pins:
        raise UserError("pins no image", file=release.file)
    platforms = platforms_of(environment.content["gates"])
    found = [
        _discover(name, Pinned(pin.image, pin.tag, pin.digest, pin.source), policy, platforms, limits)
        for name, pin in pins.items()
        if not images or name in images
    ]
    return Discovery(app=app, environment=environment.name, policy=policy.text, images=tuple(found))


def _discover(
    name: str, current: Pinned, policy: VersionPolicy, platforms: Sequence[str], limits: Limits
) -> Discovered:
    image = parse_reference(name)
    with Api(image, limits=limits) as api:
        tags = [tag for tag in list_tags(api) if tag != LATEST and not _ATTACHED.fullmatch(tag)]
    order: dict[str, Any]
    if policy.by_build:
        asked = [*tags, *([current.digest] if current.digest else [])]
        built = read_builds(image, asked, platform=platforms[0], limits=limits)
        order = {tag: (moment, natural(tag)) for tag in tags if (moment := built[tag]) is not None}
        runs: Any = _newer_than(built.get(current.digest or ""))
    else:
        order = {tag: key for tag in tags if (key := policy.order(tag)) is not None}
        runs = policy.order(current.tag) if current.tag else None
    best = max((tag for tag in order if policy.selects(tag)), key=order.__getitem__, default=None)
    is_newer = best is not None and best != current.tag and (runs is None or order[best] > runs)
    newest = None
    if best is not None and is_newer:
        there = Reference(name, tag=best)
        newest = Reference(name, tag=best, digest=resolve(there, platforms=platforms, limits=limits).digest)
    elif current.tag in tags and current.digest:
        resolve(Reference(name, tag=current.tag, digest=current.digest), platforms=platforms, limits=limits)
    return Discovered(name, current, newest, tags=len(tags), unread=len(tags) - len(order))


def _newer_than(moment: datetime.datetime | None) -> tuple[datetime.datetime, tuple[str]] | None:
    """What only a later build exceeds, whatever its tag."""
    return None if moment is None else (moment, ("\U0010ffff",))
