"""The message of every commit that promotion makes: one grammar, printed and parsed here and nowhere else.

A message is a subject, an optional body, and a last paragraph of trailers::

    Promote shop/catalog 1.5.0 from staging to prod

    Promoted-From: staging
    Promoted-To: prod
    App: shop/catalog
    Release: 1.5.0
    Digest: sha256:…
    Gates: upstream=passed soak=passed health=not-asked
    Approved-By: platform-team@example.com (signed)

``App`` begins an app; the ``Release`` and ``Digest`` lines that follow belong to it, in pairs, one pair for each image
(``name:tag`` and ``name@digest`` where there are several). ``Tree`` is the id of its ``release/`` from then on, and
``Only`` says that its ``images`` or its ``config`` moved alone. Which operation it was follows from the keys:

=================  ===================================================================
``promote``        ``Promoted-From`` and ``Promoted-To``
``set``            ``Promoted-To`` alone: a build's release, or one that a person names
``rollback``       ``Promoted-To`` and ``Rollback-Reason``; ``Hold-Until`` where it left a hold
``approve``        ``Approves`` names the environment; the commit changes no file
``hold`` …         ``Decision`` is one of :data:`DECISIONS`; ``Environment``, ``Reason``, and ``Until``
=================  ===================================================================

A forge that squashes a request puts the messages of its commits into one. Each paragraph of trailers that names a place
is a message of its own (:func:`parse_all`), whatever stands above, between and below them.

A trailer only says what its writer claims. `cartwright promote verify` recomputes what it can.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cartwright.kernel.moments import instant, one_line, parse_instant

__all__ = ["DECISIONS", "NOT_ASKED", "PASSED", "RELEASES", "Message", "Moved", "parse", "parse_all"]

PASSED = "passed"
"""What ``Gates`` says of a gate that let the promotion through; else it gives the code of the verdict that break-glass
(or ``--override-hold``) went past."""
NOT_ASKED = "not-asked"
"""What ``Gates`` says of a gate that the environment does not ask of this operation: nothing was proved."""
RELEASES = ("promote", "set", "rollback")
"""Operations that give an app another release."""
DECISIONS = ("hold", "release-hold", "freeze", "unfreeze", "withdraw", "approve-gates")
_PLACES = frozenset({"Promoted-To", "Approves", "Environment"})
_HEAD = _PLACES | {"Decision", "Promoted-From"}
"""Keys that a message's trailers begin with."""
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]*): (.*)")
_KEYS = frozenset(
    {
        *(
            "Promoted-From",
            "Promoted-To",
            "App",
            "Release",
            "Digest",
            "Tree",
            "Only",
            "Gates",
            "Approved-By",
            "Set",
            "Registry",
        ),
        *("Rollback-Reason", "Hold-Until", "Break-Glass", "Override-Hold", "Approves"),
        *("Decision", "Environment", "Asked", "Reason", "Until"),
    }
)


@dataclass(frozen=True)
class Moved:
    """What happened to one app."""

    app: str
    """``group/name``."""
    tags: tuple[str, ...] = ()
    """One for each image: the tag, or ``name:tag`` where the app has several."""
    digests: tuple[str, ...] = ()
    """The same for digests: ``sha256:…`` or ``name@sha256:…``."""
    tree: str | None = None
    """Git's id of the release: of the app's ``release/`` from then on."""
    only: str | None = None
    """``images`` or ``config``, where one part of the release moved; None where all of it did."""


@dataclass(frozen=True)
class Message:
    """A promotion's commit message."""

    subject: str
    """The first line."""
    body: str = ""
    """Paragraphs between subject and trailers."""
    source: str | None = None
    """``Promoted-From``."""
    target: str | None = None
    """``Promoted-To``; for a decision its ``Environment``, for an approval the environment that it is for."""
    moved: tuple[Moved, ...] = ()
    """The apps, in the order of the trailers."""
    gates: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """``passed``, ``not-asked``, or the code of the verdict, by gate."""
    registry: str | None = None
    """``not-asked`` where a release was set without the registry's word."""
    approved_by: tuple[str, ...] = ()
    """Each person whose approval counted: ``address (signed)`` of the signer whose signature was verified, or
    ``Name <address> (not signed)`` of the committer, where no signatures are asked for."""
    set_name: str | None = None
    """The named set that moved."""
    rollback_reason: str | None = None
    break_glass: str | None = None
    """``name: reason``."""
    override_hold: str | None = None
    """Why a hold was passed over."""
    approves: bool = False
    """Whether the commit is an approval."""
    decision: str | None = None
    """One of :data:`DECISIONS`."""
    asked: str | None = None
    """What an approval of gates is for: :attr:`cartwright.promotion.strictness.Gates.digest`."""
    reason: str | None = None
    """Why it was decided."""
    until: datetime.datetime | None = None
    """End of the hold or freeze; for a rollback that of the hold it leaves."""

    @property
    def operation(self) -> str:
        """``promote``, ``set``, ``rollback``, ``approve``, or one of :data:`DECISIONS`."""
        if self.decision:
            return self.decision
        if self.approves:
            return "approve"
        if self.rollback_reason is not None:
            return "rollback"
        return "promote" if self.source else "set"

    def render(self) -> str:
        """The message's text, with a newline at its end.

        Raises:
            UserError: a value that comes from outside holds a line break or a control character.
        """
        head = [one_line(self.subject, "subject"), ""]
        return "\n".join([*head, *([self.body.strip("\n"), ""] if self.body.strip() else []), self.trailers()]) + "\n"

    def trailers(self) -> str:
        """The last paragraph alone, without a newline at its end.

        Raises:
            UserError: as :meth:`render`.
        """
        return "\n".join(f"{key}: {one_line(value, key)}" for key, value in self._trailers())

    def _trailers(self) -> Iterable[tuple[str, str]]:
        place = "Environment" if self.decision else "Approves" if self.approves else "Promoted-To"
        until = "Until" if self.decision else "Hold-Until"
        gates = " ".join(f"{gate}={code}" for gate, code in self.gates.items())
        found: list[tuple[str, str | None]] = [("Decision", self.decision), ("Promoted-From", self.source)]
        found.append((place, self.target))
        for one in self.moved:
            found.append(("App", one.app))
            for tag, digest in zip(one.tags, one.digests, strict=True):
                found += [("Release", tag), ("Digest", digest)]
            found += [("Tree", one.tree), ("Only", one.only)]
        found += [("Set", self.set_name), ("Gates", gates or None), ("Registry", self.registry)]
        found += [("Approved-By", who) for who in self.approved_by]
        found += [("Rollback-Reason", self.rollback_reason), ("Override-Hold", self.override_hold)]
        found += [("Break-Glass", self.break_glass), ("Asked", self.asked), ("Reason", self.reason)]
        found.append((until, instant(self.until) if self.until else None))
        return [(key, value) for key, value in found if value is not None]


def parse(text: str) -> Message | None:
    """What a commit's message says last; None where promotion did not write it. See :func:`parse_all`."""
    return next(reversed(parse_all(text)), None)


def parse_all(text: str) -> tuple[Message, ...]:
    """Every promotion, approval and decision that a commit's message tells of, in its order.

    A forge may add paragraphs (``Co-authored-by``) and edit the first line. Trailers of other programs are passed over,
    and so is a malformed value: history is not refused.
    """
    paragraphs = re.split(r"\n(?:[ \t]*\n)+", text.replace("\r\n", "\n").strip("\n"))
    found: list[Message] = []
    begin = 1
    for number, paragraph in enumerate(paragraphs[1:], start=1):
        pairs = [(match[1], match[2].strip()) for line in paragraph.splitlines() if (match := _LINE.match(line))]
        if not any(key in _KEYS for key, _ in pairs):
            continue
        between = paragraphs[begin:number]
        # A squash lists the subject of each commit behind a star.
        star = next((place for place in reversed(range(len(between))) if between[place].startswith("* ")), None)
        subject = paragraphs[0] if star is None else between[star][2:]
        body = "\n\n".join(between if star is None else between[star + 1 :])
        told = [_message(subject.partition("\n")[0], body, block) for block in _blocks(pairs)]
        told = [message for message in told if message.target]
        if told:
            found += told
            begin = number + 1
    return tuple(found)


def _blocks(pairs: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The trailers of each message: where somebody joined two paragraphs, the second begins with a place again."""
    blocks: list[list[tuple[str, str]]] = [[]]
    for key, value in pairs:
        keys = [one for one, _ in blocks[-1]]
        if key in _HEAD and _PLACES & set(keys) and keys[-1] not in _HEAD:
            blocks.append([])
        blocks[-1].append((key, value))
    return blocks


def _message(subject: str, body: str, pairs: Iterable[tuple[str, str]]) -> Message:
    single: dict[str, str] = {}
    apps: list[tuple[str, dict[str, list[str]]]] = []
    approved: list[str] = []
    for key, value in pairs:
        if key == "App":
            apps.append((value, {"Release": [], "Digest": [], "Tree": [], "Only": []}))
        elif key in {"Release", "Digest", "Tree", "Only"} and apps:
            apps[-1][1][key].append(value)
        elif key == "Approved-By":
            approved.append(value)
        elif key in _KEYS:
            single[key] = value
    decision = single.get("Decision")
    approves = "Approves" in single and "Promoted-To" not in single
    place = "Environment" if decision else "Approves" if approves else "Promoted-To"
    gates = dict(part.split("=", 1) for part in single.get("Gates", "").split() if "=" in part)
    return Message(
        subject=subject,
        body=body,
        source=single.get("Promoted-From"),
        target=single.get(place),
        moved=tuple(_moved(app, values) for app, values in apps),
        gates=MappingProxyType(gates),
        registry=single.get("Registry"),
        approved_by=tuple(approved),
        set_name=single.get("Set"),
        rollback_reason=single.get("Rollback-Reason"),
        break_glass=single.get("Break-Glass"),
        override_hold=single.get("Override-Hold"),
        approves=approves,
        decision=decision if decision in DECISIONS else None,
        asked=single.get("Asked"),
        reason=single.get("Reason"),
        until=parse_instant(single.get("Until") or single.get("Hold-Until") or ""),
    )


def _moved(app: str, values: Mapping[str, list[str]]) -> Moved:
    pairs = list(zip(values["Release"], values["Digest"], strict=False))
    return Moved(
        app=app,
        tags=tuple(tag for tag, _ in pairs),
        digests=tuple(digest for _, digest in pairs),
        tree=next(iter(values["Tree"]), None),
        only=next(iter(values["Only"]), None),
    )
