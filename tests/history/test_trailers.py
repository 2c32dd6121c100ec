"""Messages of promotion as they are printed, and as a forge's squash leaves them."""

from __future__ import annotations

import datetime
from dataclasses import replace
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.history.trailers import DECISIONS, Message, Moved, parse, parse_all

_WORDS = st.text("abc 1.-", min_size=1, max_size=12).map(str.strip).filter(bool)
_APPS = st.sampled_from(["shop/catalog", "shop/orders", "data/postgresql"])
_TAGS = st.sampled_from(["1.0.0", "1.1.0"])
_UNTIL = st.none() | st.just(datetime.datetime(2026, 11, 29, 22, 0, tzinfo=datetime.UTC))


@st.composite
def _moved(draw: st.DrawFn) -> Moved:
    tag = draw(_TAGS)
    tree = draw(st.none() | st.just("a" * 40))
    only = draw(st.sampled_from([None, "images", "config"]))
    return Moved(app=draw(_APPS), tags=(tag,), digests=(f"sha256:{tag}",), tree=tree, only=only)


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    subject, target = draw(_WORDS), draw(st.sampled_from(["staging", "prod"]))
    moved = tuple(draw(st.lists(_moved(), min_size=1, max_size=3)))
    kind = draw(st.sampled_from(["promote", "set", "rollback", "approve", *DECISIONS]))
    if kind in DECISIONS:
        apps = tuple(Moved(app=one.app) for one in moved) if "hold" in kind else ()
        return Message(
            subject=subject, target=target, moved=apps, decision=kind, reason=draw(_WORDS), until=draw(_UNTIL)
        )
    if kind == "approve":
        return Message(subject=subject, target=target, moved=moved, approves=True)
    return Message(
        subject=subject,
        source="dev" if kind == "promote" else None,
        target=target,
        moved=moved,
        gates=MappingProxyType({"soak": "passed"}),
        approved_by=tuple(f"{one} <a@example.com>" for one in draw(st.lists(_WORDS, max_size=2))),
        rollback_reason=draw(_WORDS) if kind == "rollback" else None,
        until=draw(_UNTIL) if kind == "rollback" else None,
    )


@given(_messages())
def test_a_message_is_read_as_it_was_printed(message: Message) -> None:
    assert parse_all(message.render()) == (message,)


@given(st.lists(_messages(), min_size=1, max_size=4))
def test_a_squash_of_several_commits_tells_of_each(messages: list[Message]) -> None:
    listed = "\n\n".join(f"* {one.render()}" for one in messages)
    text = f"Move things (#12)\n\n{listed}\n---------\n\nCo-authored-by: Somebody <somebody@example.com>\n"
    assert parse_all(text) == tuple(messages)


@given(st.lists(_messages(), min_size=1, max_size=4))
def test_trailers_that_somebody_joined_are_told_apart(messages: list[Message]) -> None:
    trailers = "\n".join(one.trailers() for one in messages)
    expected = tuple(replace(one, subject="Move things") for one in messages)
    assert parse_all(f"Move things\n\n{trailers}\n") == expected


@settings(deadline=None)
@given(_messages(), _WORDS)
def test_an_edited_title_changes_no_more_than_the_subject(message: Message, title: str) -> None:
    text = message.render().replace(message.subject, f"{title} (#12)", 1)
    assert parse(text) == replace(message, subject=f"{title} (#12)")


def test_trailers_in_a_block_of_code_are_read() -> None:
    message = Message(subject="x", source="dev", target="prod", moved=(Moved("shop/catalog", ("1",), ("sha256:1",)),))
    text = f"catalog (#3)\n\n| app | runs |\n|---|---|\n\n```text\n{message.trailers()}\n```\n\n<!-- a mark -->\n"
    assert parse(text) == replace(message, subject="catalog (#3)", body="| app | runs |\n|---|---|")


def test_a_message_of_somebody_else_tells_of_nothing() -> None:
    assert parse_all("Fix it\n\nReason: the App: shop/catalog\nApproved-By: me\n\nSigned-off-by: x <x@y.z>\n") == ()
