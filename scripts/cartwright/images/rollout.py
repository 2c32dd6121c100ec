"""From images to the dev environment: push them to the local registry and record their digests by ``promote set``.

It is what a release pipeline does, with the cluster's own bare remote as the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cartwright.history.snapshot import open_snapshot
from cartwright.images.buildah import Built
from cartwright.images.push import push
from cartwright.promotion.argo import NoHub
from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import SetImage
from cartwright.promotion.land.deliver import deliver
from cartwright.promotion.land.remote import Remote
from cartwright.promotion.signatures import verify
from cartwright.registry.reference import Reference

__all__ = ["record_images"]


def record_images(
    root: Path,
    images: Mapping[str, Built],
    *,
    environment: str,
    remote: Path,
    branch: str,
    port: int,
    say: Callable[[str], None],
) -> int:
    """Push images and give each app of an environment those that it pins; returns how many apps changed.

    Args:
        root: a clone that knows the remote's objects.
        images: what was built, by any name of its own.
        environment: the environment that gets them.
        remote: the bare repository that Argo CD syncs from.
        branch: full name of the branch to commit on.
        port: the local registry's.
        say: told of each app that changes.

    Raises:
        ToolError: the registry or Git does not do its part.
    """
    by_name: dict[str, Reference] = {}
    for built in images.values():
        push(built, port=port)
        by_name[built.name] = built
    destination = Remote(root=root, remote=str(remote), branch=branch)
    snapshot = open_snapshot(root, destination.head())
    changed = 0
    sources = Sources(health=NoHub(), signatures=verify)
    for app in sorted(snapshot.applications[environment]):
        pins = snapshot.release(environment, app).pins
        wanted = tuple(by_name[name] for pin in pins if (name := pin.source or pin.image) in by_name)
        if not wanted:
            continue
        intent = SetImage(app=app, environment=environment, images=wanted)
        result = deliver(root, intent, destination=destination, sources=sources)
        if result.status == "promoted":
            changed += 1
            say(f"images: {environment} {app} {', '.join(f'{one.tag}@{one.short_digest}' for one in wanted)}")
    return changed
