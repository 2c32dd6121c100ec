"""What kind of change an event of the record is, and whether its trailers say what its content says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cartwright.history.pinned import Pinned
from cartwright.history.record import Event, Record
from cartwright.history.trailers import Message, Moved

__all__ = ["KINDS", "Explained", "contradiction", "explain", "named", "same_content"]

_Content = tuple[tuple[Pinned, ...] | None, str | None]
"""Images and tree of a release."""
_DIGITS = 12
"""So many digits of a tree id tell two releases apart for a person."""
KINDS = ("start", "promote", "set", "rollback", "edit", "move", "remove")
"""``start`` is what stood there when the history begins, ``edit`` a change without trailers that fit it, ``move`` an
overlay that came to another folder as it was, ``remove`` the end of an overlay."""


@dataclass(frozen=True)
class Explained:
    """An event with its meaning."""

    event: Event
    kind: str
    """One of :data:`KINDS`."""
    claim: Moved | None
    """What the trailers say of this app; None where they say nothing of it."""
    doubt: str | None
    """Why the trailers were not believed."""
    returned: bool
    """Whether this release, or the same content, ran here before: a rollback by any name."""

    @property
    def release(self) -> tuple[Pinned, ...]:
        """The pins that came as one: those that the trailers name where they are believed, else those that changed."""
        after = self.event.after or ()
        if self.doubt is None and self.claim is not None and self.claim.only == "config":
            return ()
        if self.doubt is None and self.claim is not None:
            named = _claimed(self.claim, {pin.image: pin for pin in after})
            return tuple(pin for pin in after if pin.image in named)
        before = {pin.image: pin for pin in self.event.before or ()}
        return tuple(pin for pin in after if pin != before.get(pin.image))

    @property
    def config(self) -> str | None:
        """The configuration that came; None where it is not known, or stayed as it was."""
        event = self.event
        return None if event.config == event.before_config else event.config

    @property
    def adopts(self) -> bool:
        """Whether an overlay that followed main got a release of its own, at the same images."""
        event = self.event
        return event.tree is not None and event.before_tree is None and event.after == event.before

    @property
    def message(self) -> Message | None:
        """What the trailers say in all."""
        return self.event.message


def explain(record: Record, events: Iterable[Event] | None = None) -> list[Explained]:
    """Every event with its meaning, newest first.

    Args:
        events: newest first, whole timelines of environments and apps; all of the record by default.
    """
    found = record.events() if events is None else list(events)
    gone: dict[tuple[int, str], list[_Content]] = {}
    for event in found:
        if event.after is None and event.before:
            gone.setdefault((event.index, event.environment), []).append((event.before, event.before_tree))
    ran: dict[tuple[str, str], list[Event]] = {}
    result = []
    for event in reversed(found):
        earlier = ran.setdefault((event.environment, event.app), [])
        returned = any(_is_same(event, one) for one in earlier)
        result.append(_explain(event, returned=returned, gone=gone.get((event.index, event.environment), [])))
        if event.after or event.tree:
            earlier.append(event)
    return result[::-1]


def _is_same(one: Event, other: Event) -> bool:
    """Whether two events brought the same images and, as far as both are known, the same configuration."""
    if not one.after and not one.tree:
        return False
    known = one.config is None or other.config is None or one.config == other.config
    return known and same_content(one.after or (), other.after or ())


def same_content(one: Sequence[Pinned], other: Sequence[Pinned]) -> bool:
    """Whether both are the same images at the same content."""
    return [pin.image for pin in one] == [pin.image for pin in other] and all(
        mine.same_content(theirs) for mine, theirs in zip(one, other, strict=True)
    )


def contradiction(event: Event) -> str | None:
    """How the trailers of an event differ from its content; None where they are its account."""
    message = event.message
    if message is None:
        return "the commit has no trailers"
    claim = next((one for one in message.moved if one.app == event.app), None)
    if message.operation not in {"promote", "set", "rollback"}:
        return f"the trailers tell of a {message.operation}, not of a release"
    if message.target != event.environment or claim is None:
        return f"the trailers do not tell of {event.app} in {event.environment}"
    return _other_tree(event, claim) or _other_images(event, claim)


def _other_tree(event: Event, claim: Moved) -> str | None:
    if event.tree is not None and claim.tree is not None and claim.tree != event.tree:
        return f"the trailers say release {claim.tree[:12]} and the overlay has {event.tree[:12]}"
    if event.tree is not None and claim.tree is None and event.config != event.before_config:
        return "the trailers do not tell of the base that changed"
    if claim.only == "images" and event.config != event.before_config:
        return "the trailers say that images moved alone, and the base changed"
    if claim.only == "config" and event.after != event.before:
        return "the trailers say that images stayed, and they changed"
    return None


def _other_images(event: Event, claim: Moved) -> str | None:
    after = {pin.image: pin for pin in event.after or ()}
    before = {pin.image: pin for pin in event.before or ()}
    claimed = _claimed(claim, after)
    for image, (tag, digest) in claimed.items():
        pin = after.get(image)
        if pin is None or (pin.tag or "none") != tag or (pin.digest or "none") != digest:
            return f"the trailers say {tag}, {digest[:19]} and the overlay {_said(pin)}"
    for image, pin in after.items():
        if image not in claimed and before.get(image) != pin:
            return f"the trailers do not tell of {image}"
    return None


def named(pins: Iterable[Pinned], tree: str | None = None) -> str:
    """A release as people call it: its tag, or ``name:tag`` for each image where there are several.

    What pins no image goes by the first digits of its tree id, or follows main where it has no tree.

    >>> named([], "c32d78dd61f5aa0940d3f8d9a0f4a7a1c0ffee00")
    'release c32d78dd61f5'
    """
    listed = list(pins)
    if len(listed) == 1:
        return str(listed[0])
    if not listed:
        return f"release {tree[:_DIGITS]}" if tree else "follows main"
    return ", ".join(f"{pin.image.rpartition('/')[2]}:{pin}" for pin in listed)


def _claimed(claim: Moved, after: dict[str, Pinned]) -> dict[str, tuple[str, str]]:
    """Tag and digest by image, as the trailers say."""
    found = {}
    for tag, digest in zip(claim.tags, claim.digests, strict=True):
        image, at, bare = digest.rpartition("@")
        if at:
            found[image] = (tag.removeprefix(f"{image}:"), bare)
        else:  # one image, which is not named
            match = [pin.image for pin in after.values() if pin.digest == digest and (pin.tag or "none") == tag]
            found[match[0] if match else next(iter(after), "")] = (tag, digest)
    return found


def _said(pin: Pinned | None) -> str:
    return f"{pin.tag or 'none'}, {(pin.digest or 'none')[:19]}" if pin else "does not pin the image"


def _explain(event: Event, *, returned: bool, gone: list[_Content]) -> Explained:
    message = event.message
    claim = next((one for one in message.moved if one.app == event.app), None) if message else None
    doubt = None
    if event.after is None:
        kind = "remove"
    elif event.index == 0:
        kind = "start"
    elif event.before is None and (event.after, event.tree) in gone:
        kind = "move"
    else:
        doubt = contradiction(event)
        kind = "edit" if doubt or message is None else message.operation
    return Explained(event=event, kind=kind, claim=claim, doubt=doubt, returned=returned)
