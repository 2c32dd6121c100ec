"""promotion.yaml: entries come and go, and nothing else changes by a byte. The commit message: printed is parsed."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.history.trailers import DECISIONS, PASSED, Message, Moved, parse
from cartwright.kernel.errors import UserError
from cartwright.tree.decisions import Freeze, Hold, add_freeze, add_hold, drop_holds, read_state
from cartwright.tree.repository import FolderTree, Tree
from cartwright.yaml.lists import append_entry, remove_entries
from cartwright.yaml.read import load

MOMENT = datetime.datetime(2026, 11, 21, 8, 0, tzinfo=datetime.UTC)
SCHEMA = Path(__file__).parents[2] / "environments/promotion.schema.json"
ENTRY = {"app": "shop/catalog", "reason": "it: broke # really", "by": "on", "until": "2026-11-21T08:00:00Z"}

STYLES = {
    "no file yet": "",
    "comment alone": "# decisions\n",
    "other key, no final newline": "freezes:\n  - reason: a",
    "empty list": "holds: []  # none\n# tail\n",
    "block": "holds:\n  - app: a/b # first\n    reason: x\n",
    "block at the margin": "holds:\n- app: a/b\n  reason: x\n\n# after\nfreezes: []\n",
    "comments inside and after": "holds:\n  # why\n  - app: a/b\n    # inner\n    reason: x\n  # out\n\nfreezes: []\n",
    "CRLF": "holds:\r\n  - app: a/b\r\n    reason: x\r\nfreezes: []\r\n",
    "block scalar": "holds:\n  - app: a/b\n    reason: |\n      two\n      lines\nfreezes: []\n",
    "flow": "holds: [{app: a/b, reason: x}, {app: c/d, reason: y}]  # one line\nfreezes: []\n",
    "all in braces": "{holds: [], freezes: []}",
    "no final newline": "freezes: []\nholds:\n  - app: a/b\n    reason: x",
    "byte order mark": "\ufeffholds:\n  - app: a/b\n    reason: x\n",
    "anchors elsewhere": "freezes:\n  - &f {reason: a}\n  - *f\nholds:\n  - app: a/b\n    reason: x\n",
    "document markers": "---\nholds:\n  - app: a/b\n    reason: x\n...\n",
}


@pytest.mark.parametrize(
    "text", [one for one in STYLES.values() if one is not None], ids=[one for one in STYLES if STYLES[one] is not None]
)
def test_an_entry_is_added_in_one_place_and_everything_else_stays(text: str) -> None:
    after = append_entry(text, "holds", ENTRY, file="f.yaml")
    before = load(text, "f.yaml") or {}
    assert load(after, "f.yaml") == {**before, "holds": [*before.get("holds", ()), ENTRY]}
    kept = text.replace("holds: []", "holds:")
    start = len(_common(kept, after))
    assert after.endswith(kept[start:]), "one insertion"
    assert ("\r\n" in after) == ("\r\n" in text)
    assert after.count("\n") - after.count("\r\n") == 0 or "\r\n" not in text


def _common(one: str, two: str) -> str:
    end = next((place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return one[:end]


@pytest.mark.parametrize("name", ["block", "block at the margin", "CRLF", "flow", "block scalar", "byte order mark"])
def test_what_was_added_can_be_taken_out_again_without_a_trace(name: str) -> None:
    text = STYLES[name]
    after = append_entry(text, "holds", ENTRY, file="f.yaml")
    last = len(load(after, "f.yaml")["holds"]) - 1
    assert remove_entries(after, "holds", [last], file="f.yaml") == text


def test_the_last_entry_leaves_an_empty_list() -> None:
    text = "# top\nholds:  # now\n  - app: a/b\n    reason: x  # gone\n# tail\n"
    assert remove_entries(text, "holds", [0], file="f.yaml") == "# top\nholds: []  # now\n# tail\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "f.yaml:1: is not a mapping"),
        ("holds: x\n", "f.yaml:1: holds is not a list"),
        ("holds: &h\n  - app: a\nfreezes: *h\n", "f.yaml:1: holds is shared by an anchor"),
        ("{freezes: []}\n", "f.yaml:1: is written in one pair of braces, and has no 'holds'"),
        ("a: 1\n---\nb: 2\n", "f.yaml: holds several documents; expected one"),
        ("holds: [{app: a},  # why\n  ]\n", "f.yaml:1: holds ends with a comment"),
        ("holds: []\nholds: []\n", "f.yaml:2: YAML: the key 'holds' is already in line 1"),
    ],
)
def test_what_can_not_be_edited_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        append_entry(text, "holds", ENTRY, file="f.yaml")
    assert str(refused.value).startswith(message)


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"),
    min_size=1,
    max_size=12,
).filter(lambda text: bool(text.strip()))
APPS = st.from_regex(r"[a-z][a-z0-9-]{0,5}/[a-z][a-z0-9-]{0,5}", fullmatch=True)
ENTRIES = st.fixed_dictionaries({"app": APPS, "reason": WORDS, "by": WORDS, "until": st.just("2026-11-21T08:00:00Z")})
COMMENTS = st.sampled_from(["", "", "# a comment\n", "\n", "# - app: not/one\n"])


@st.composite
def files(draw: Any) -> str:
    """A promotion.yaml in block style, with comments and blank lines in many places."""
    indent = draw(st.sampled_from(["", "  ", "    "]))
    lines = [draw(COMMENTS), "holds:", draw(st.sampled_from(["", "  # now"])), "\n"]
    for _ in range(draw(st.integers(1, 3))):
        lines += [draw(COMMENTS), f"{indent}- app: {draw(APPS)}", draw(st.sampled_from(["", "  # x"])), "\n"]
        lines += [f"{indent}  ", draw(st.sampled_from(["reason: late\n", "\"reason\": 'a: b'\n"]))]
    lines += [draw(COMMENTS), draw(st.sampled_from(["", "freezes: []", "freezes:\n  - reason: a # b"]))]
    text = "".join(lines)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@settings(max_examples=120, deadline=None)
@given(text=files(), entry=ENTRIES)
def test_any_entry_comes_and_goes_and_leaves_every_byte(text: str, entry: dict[str, str]) -> None:
    text = text if text.endswith("\n") else text + ("\r\n" if "\r\n" in text else "\n")
    after = append_entry(text, "holds", entry, file="f.yaml")
    assert load(after, "f.yaml")["holds"][-1] == entry
    last = len(load(after, "f.yaml")["holds"]) - 1
    assert remove_entries(after, "holds", [last], file="f.yaml") == text


# --- the file as a whole ----------------------------------------------------------------------------


def tree_with(tmp_path: Path, text: str) -> Tree:
    folder = tmp_path / "environments/prod"
    folder.mkdir(parents=True)
    (folder / "promotion.yaml").write_text(text)
    (tmp_path / "environments/promotion.schema.json").write_text(SCHEMA.read_text())
    return FolderTree(root=tmp_path)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    hold = Hold(app="shop/catalog", reason="sale", by="Platform Team <a@b.c>", until=MOMENT)
    freeze = Freeze(
        reason="audit", by="Platform Team <a@b.c>", begin=MOMENT, until=MOMENT + datetime.timedelta(hours=1)
    )
    text = add_freeze(add_hold(None, hold, file="f"), freeze, file="f")
    state = read_state(tree_with(tmp_path, text), "prod")
    assert (state.holds, state.freezes) == ((hold,), (freeze,))
    assert read_state(FolderTree(root=tmp_path / "elsewhere"), "prod").holds == ()


def test_holds_that_have_ended_go_with_the_one_that_is_released(tmp_path: Path) -> None:
    text = None
    for app, hours in (("shop/old", -1), ("shop/catalog", 1), ("shop/other", 2)):
        hold = Hold(app=app, reason="x", by="y", until=MOMENT + datetime.timedelta(hours=hours))
        text = add_hold(text, hold, file="f")
    assert text is not None
    state = read_state(tree_with(tmp_path, text), "prod")
    after = drop_holds(text, state, "shop/catalog", now=MOMENT)
    assert [one["app"] for one in load(after, "f")["holds"]] == ["shop/other"]
    with pytest.raises(UserError, match="shop/old has no hold in prod to release"):
        drop_holds(text, state, "shop/old", now=MOMENT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hold: []\n", r"environments/prod/promotion.yaml:1: unknown key 'hold' \(did you mean 'holds'\?\)"),
        (
            "holds:\n  - {app: shop/a, reason: x, by: y, until: 2026-02-30T00:00:00Z}\n",
            "environments/prod/promotion.yaml: '2026-02-30T00:00:00Z' is not a date and time",
        ),
        (
            "holds:\n  - {app: a, reason: x, by: y, until: 2026-02-20T00:00:00Z}\n",
            "promotion.yaml:2: holds.0.app: 'a' does",
        ),
    ],
    ids=["typo", "no such day", "app without group"],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_state(tree_with(tmp_path, text), "prod")


# --- the commit message -----------------------------------------------------------------------------

LINES = WORDS.map(str.strip)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
MOVED = st.builds(
    lambda app, pairs: Moved(app=app, tags=tuple(tag for tag, _ in pairs), digests=tuple(one for _, one in pairs)),
    APPS,
    st.lists(
        st.tuples(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True), LINES.map("sha256:{}".format)),
        max_size=3,
    ),
)
COMMON = {
    "subject": LINES.filter(lambda line: not line.startswith("#")),
    "target": NAMES,
    "moved": st.lists(MOVED, max_size=3, unique_by=lambda one: one.app).map(tuple),
}
GATES = st.dictionaries(NAMES, st.sampled_from([PASSED, "soak-short", "held"]), max_size=4).map(MappingProxyType)
MOVES = {
    **COMMON,
    "gates": GATES,
    "approved_by": st.lists(LINES, max_size=2).map(tuple),
    "break_glass": st.none() | LINES,
}
MESSAGES = st.one_of(
    st.builds(Message, **MOVES, source=st.none() | NAMES, set_name=st.none() | NAMES, override_hold=st.none() | LINES),
    st.builds(Message, **MOVES, rollback_reason=LINES, until=st.none() | st.just(MOMENT)),
    st.builds(Message, **COMMON, approves=st.just(True)),
    st.builds(Message, **COMMON, decision=st.sampled_from(DECISIONS), reason=LINES, until=st.none() | st.just(MOMENT)),
)


@settings(max_examples=120, deadline=None)
@given(message=MESSAGES)
def test_every_message_that_is_printed_is_parsed_to_the_same(message: Message) -> None:
    text = message.render()
    found = parse(text)
    assert found == message
    assert parse(text.replace("\n", "\r\n")) == message, "as some forges store it"
    assert parse(f"{text}\nCo-authored-by: Platform Team <a@b.c>\n") == message, "with a paragraph below"


@pytest.mark.parametrize("value", ["two\nlines", "a\x00b", " ", "", "a\u2028b", "a\rb"])
def test_a_value_of_several_lines_is_refused_as_it_could_forge_a_trailer(value: str) -> None:
    with pytest.raises(UserError, match="expected one line of text"):
        Message(subject="s", target="prod", rollback_reason=value).render()


@pytest.mark.parametrize(
    "text",
    ["Fix it", "Fix it\n\nCo-authored-by: a", "Promoted-To: prod", "Fix\n\nthe App: is broken\n", "", "\n\n"],
)
def test_other_peoples_messages_are_none_of_ours(text: str) -> None:
    assert parse(text) is None
