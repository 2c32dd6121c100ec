"""What Git knows of the images that environments pin, as facts that rules of scope ``fleet`` judge by.

`data.fleet.facts` is::

    history   environment → repository → every digest that one of its overlays has ever pinned, and those that
              the repository's first commit brought to any environment
    record    environment → repository → for each overlay that pins it, how its digest came there:
              {app, digest, commit, time, origin}, by the newest commit that changed it

The ``origin`` of a digest is

``import``       the overlay pinned no digest of this image before: the record begins here
``promotion``    the commit's trailers say that this digest of this app went to this environment
``break-glass``  the same, with gates passed over by a person who gave a name and a reason
``hand``         anything else: somebody edited the file

Without Git, or with a history that is cut off, there are no facts, and rules that need them say nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from cartwright.history.pinned import Pinned
from cartwright.history.record import Event, read_record
from cartwright.kernel import memo
from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import instant
from cartwright.registry.reference import parse_reference
from cartwright.tree.names import FILE as NAMES
from cartwright.tree.names import Names, read_names
from cartwright.tree.repository import FolderTree

__all__ = ["read_facts"]


def read_facts(tree: FolderTree, *, use_cache: bool = True) -> dict[str, Any]:
    """The facts at the commit that the tree stands at; ``shallow`` is true where the history is cut off.

    Raises:
        ToolError: git can't read the history.
    """
    commit = tree.commit
    if commit is None:
        return {}
    names = read_names(tree) if tree.is_file(NAMES) else None
    key = memo.digest(["facts", memo.code_hash(), str(tree.home), commit, repr(names)])
    facts: dict[str, Any] | None = memo.load("facts", key) if use_cache else None
    if facts is None:
        record = read_record(tree.home, commit)
        facts = {"shallow": True} if record.cut else _facts(reversed(record.events()), names)
        memo.store("facts", key, facts)
    return facts


def _facts(events: Iterable[Event], names: Names | None) -> dict[str, Any]:
    """Facts from all events, oldest first."""
    history: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    entries: dict[tuple[str, str, str], dict[str, str]] = {}
    pinned: dict[tuple[str, str], tuple[Pinned, ...]] = {}
    # What the repository began with (a template, a history that was put away) came from a history that is not here.
    begun: dict[str, set[str]] = defaultdict(set)
    for event in events:
        pinned[event.environment, event.app] = event.after or ()
        for pin in event.after or ():
            if pin.digest is None:
                continue
            history[event.environment][_repository(pin, names)].add(pin.digest)
            if event.note.landed == 0:
                begun[_repository(pin, names)].add(pin.digest)
            # What was there before stays known when an overlay goes and comes back: that makes no new beginning.
            key = (event.environment, event.app, pin.image)
            known = entries.get(key)
            if known is None or known["digest"] != pin.digest:
                entries[key] = {
                    "app": event.app,
                    "digest": pin.digest,
                    "commit": event.note.commit[:7],
                    "time": instant(event.time),
                    "origin": "import" if known is None else _origin(event, pin),
                }
    for digests_of in list(history.values()):
        for name, digests in begun.items():
            digests_of[name] |= digests
    record: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for (environment, app), pins in sorted(pinned.items()):
        for pin in pins:
            if pin.digest is not None:
                record[environment][_repository(pin, names)].append(entries[environment, app, pin.image])
    return {
        "history": {
            environment: {name: sorted(digests) for name, digests in found.items()}
            for environment, found in history.items()
        },
        "record": {environment: dict(found) for environment, found in record.items()},
    }


def _repository(pin: Pinned, names: Names | None) -> str:
    """Registry and path as they are called today, written out as rules write them: ``docker.io/library/redis``."""
    name = pin.source or pin.image
    name = names.today(name) if names else name
    try:
        reference = parse_reference(name)
    except UserError:
        return name  # no container has such an image
    return f"{reference.host}/{reference.repository}"


def _origin(event: Event, pin: Pinned) -> str:
    """What the commit's message says of this digest; trailers about another app, place or digest say nothing."""
    message = event.message
    if message is None or message.target != event.environment or message.decision or message.approves:
        return "hand"
    named = {digest.rpartition("@")[2] for moved in message.moved if moved.app == event.app for digest in moved.digests}
    if pin.digest not in named:
        return "hand"
    return "break-glass" if message.break_glass else "promotion"
