"""What was found of newer versions, as text for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from cartwright.kernel.output import count
from cartwright.promotion.discovery import Discovered, Discovery

__all__ = ["VERSION", "discovery_data", "discovery_text"]

VERSION = 1
"""Version of the JSON; a change that breaks a reader raises it."""


def discovery_data(found: Discovery, promotion: dict[str, Any] | None) -> dict[str, Any]:
    """The discovery for programs. ``promotion`` is what `promote set` says; None where it was not asked."""
    return {
        "version": VERSION,
        "app": found.app,
        "environment": found.environment,
        "policy": found.policy,
        "images": [
            {
                "image": one.image,
                "current": {"tag": one.current.tag, "digest": one.current.digest},
                "newest": {"tag": one.newest.tag, "digest": one.newest.digest} if one.newest else None,
                "tags": one.tags,
                "unread": one.unread,
            }
            for one in found.images
        ],
        "promotion": promotion,
    }


def discovery_text(found: Discovery, *, is_set: bool) -> Text:
    """The discovery for people; it says how to commit what was found, unless that happens now."""
    text = Text("\n".join(_line(one, found) for one in found.images))
    if found.newer and not is_set:
        words = " ".join(f"--image {image}" for image in found.newer)
        text.append(f"\ncommit it: cartwright promote set {found.app} --env {found.environment} {words}")
    return text


def _line(one: Discovered, found: Discovery) -> str:
    tag = one.current.tag or "no tag"
    unread = f", {one.unread} of them no versions" if one.unread else ""
    looked = f"[{count(one.tags, 'tag')}{unread}]"
    if one.newest is None:
        return f"{found.app}: nothing newer than {tag} of {one.image} for {found.policy} {looked}"
    return f"{found.app}: {one.image} {tag} → {one.newest.tag} ({one.newest.short_digest}) {looked}"
