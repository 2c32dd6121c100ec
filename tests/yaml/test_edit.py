"""Invariant 1: an edit changes only the scalars that it means, byte for byte, or it is refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.kernel.errors import UserError
from cartwright.yaml.edit import Edit, edit

DIGEST = "sha256:" + "ab" * 32
TAGS = ["1.2.3", "1.10", "on", "0777", "2026-01-02", "1e3", "v1", "null", "main-3f2a1b0", "y", "0x1f"]
COMMENTS = ["", "  # why", "\t# a tab", ' # it\'s "quoted": {x: &y *z}', " # größer → 日本"]


def write_scalar(draw: st.DrawFn, value: str) -> str:
    style = draw(st.sampled_from(["plain", "single", "double", "tagged"]))
    if style == "single":
        return f"'{value}'"
    if style == "double":
        return f'"{value}"'
    return f"!!str {value}" if style == "tagged" else value


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """A kustomization as a template: its text has ``<TAG>`` and ``<DIGEST>`` marks in place of the two scalars.

    Returns the template, the two scalars as written, and the index of the entry as text.
    """
    indent = " " * draw(st.integers(0, 4))
    entries = draw(st.integers(1, 4))
    chosen = draw(st.integers(0, entries - 1))
    flow = draw(st.booleans())
    lines = [draw(st.sampled_from(["", "---", "%YAML 1.1\n---", "# head", "\n\n"]))]
    lines.append("kind: Kustomization" + draw(st.sampled_from(COMMENTS)))
    lines.append("commonAnnotations: &notes {a: '1.0.0', b: \"x\"}")
    lines.append("other: *notes")
    lines.append("images:" + draw(st.sampled_from(COMMENTS)))
    for index in range(entries):
        tag, digest = ("<TAG>", "<DIGEST>") if index == chosen else ("1.0.0", f'"{"sha256:" + "0" * 64}"')
        fields = draw(
            st.permutations([f"name: 'app-{index}'", f"newTag: {tag}", f"digest: {digest}", "newName: mirror/app"])
        )
        if flow:
            lines.append(f"{indent}- {{{', '.join(fields)}}}" + draw(st.sampled_from(COMMENTS)))
        else:
            for number, field in enumerate(fields):
                lead = "- " if number == 0 else "  "
                lines.append(indent + lead + field + draw(st.sampled_from(COMMENTS)))
            lines += draw(st.sampled_from([[], [""], [f"{indent}  # between"], ["# at the margin"]]))
    lines.append("labels: [{pairs: {newTag: 1.0.0, digest: x}}]" + draw(st.sampled_from(COMMENTS)))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    body = "\n".join(lines).lstrip("\n").replace("\n", newline)
    body = draw(st.sampled_from(["", "\ufeff"])) + body + draw(st.sampled_from(["", newline, newline * 2]))
    tag = write_scalar(draw, draw(st.sampled_from(TAGS)))
    return body, tag, write_scalar(draw, "sha256:" + "cd" * 32), str(chosen)


def value_of(text: str, index: int) -> dict[str, Any]:
    loaded = yaml.load(text, Loader=yaml.CSafeLoader)
    found: dict[str, Any] = loaded["images"][index]
    return found


@settings(deadline=None, max_examples=400)
@given(documents(), st.sampled_from(TAGS))
def test_only_the_two_scalars_change_byte_for_byte(document: tuple[str, str, str, str], new: str) -> None:
    template, tag, digest, index = document
    before = template.replace("<TAG>", tag).replace("<DIGEST>", digest)
    at = int(index)
    after = edit(
        before,
        [Edit(path=("images", at, "newTag"), value=new), Edit(path=("images", at, "digest"), value=DIGEST)],
        file="k.yaml",
    )
    # All that stands around the two marks is found again, in order, and what stands at the marks reads as meant.
    rest = after
    order = sorted(["<TAG>", "<DIGEST>"], key=template.index)
    first, second = template.index(order[0]), template.index(order[1])
    head, middle, tail = (
        template[:first],
        template[first + len(order[0]) : second],
        template[second + len(order[1]) :],
    )
    assert rest.startswith(head)
    assert rest.endswith(tail)
    inner = rest[len(head) : len(rest) - len(tail)]
    assert middle in inner
    written = dict(zip(order, inner.split(middle, 1), strict=True))
    assert yaml.safe_load(written["<TAG>"]) == new
    assert yaml.safe_load(written["<DIGEST>"]) == DIGEST
    assert (written["<TAG>"][0] in "'\"") or tag[0] not in "'\"", "quotes are kept"
    assert value_of(after, at)["newTag"] == new
    assert value_of(after, at)["digest"] == DIGEST


@pytest.mark.parametrize("value", TAGS)
def test_a_tag_is_quoted_only_where_yaml_would_read_something_else(value: str) -> None:
    after = edit("newTag: 1.0.0 # x\n", [Edit(path=("newTag",), value=value)], file="k.yaml")
    quoted = value not in {"1.2.3", "v1", "main-3f2a1b0"}
    assert after == (f'newTag: "{value}" # x\n' if quoted else f"newTag: {value} # x\n")


def test_other_documents_stay_as_they_were() -> None:
    text = "a: 1\n---\n# two\nnewTag: old\n...\n---\nnewTag: old\n"
    after = edit(text, [Edit(path=("newTag",), value="new", document=1)], file="k.yaml")
    assert after == "a: 1\n---\n# two\nnewTag: new\n...\n---\nnewTag: old\n"


def test_an_anchor_that_nobody_uses_is_kept() -> None:
    after = edit("newTag: &tag old\n", [Edit(path=("newTag",), value="new")], file="k.yaml")
    assert after == "newTag: &tag new\n"


def test_the_value_that_is_there_already_is_not_rewritten() -> None:
    text = "newTag: 'same'\n"
    assert edit(text, [Edit(path=("newTag",), value="same")], file="k.yaml") == text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("a: &t v1\nnewTag: *t\n", 2, "newTag is an alias of &t in line 1", id="alias"),
        pytest.param("newTag: &t v1\nb: *t\n", 1, "anchor &t is used again in line 2", id="anchor with another user"),
        pytest.param("a: &i {newTag: v1}\n<<: *i\n", 1, "newTag comes from a merge key (<<)", id="merge key"),
        pytest.param("a: b\n", 1, "newTag is not there", id="missing key"),
        pytest.param("a: b\nnewTag:\n", 2, "newTag is empty", id="empty value"),
        pytest.param("newTag: |-\n  v1\n", 1, "newTag is a block of text", id="block scalar"),
        pytest.param("newTag: [v1]\n", 1, "newTag is not a single value", id="list"),
        pytest.param("newTag: v1\nb: 1\nnewTag: v2\n", 3, "the key 'newTag' is already in line 1", id="key twice"),
        pytest.param("newTag: v1\nb: [\n", 3, "YAML: ", id="syntax"),
        pytest.param("newTag: !!int 1\n", None, "would change more than intended", id="a tag that is no string"),
    ],
)
def test_what_cannot_be_changed_alone_is_refused_with_line_and_reason(
    text: str, line: int | None, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        edit(text, [Edit(path=("newTag",), value="v9")], file="k.yaml")
    assert (caught.value.file, caught.value.line) == ("k.yaml", line)
    assert message in caught.value.message


def test_an_entry_that_an_alias_repeats_is_refused() -> None:
    text = "images:\n  - &one {name: a, newTag: v1}\n  - *one\n"
    for index, message in ((0, "anchor &one is used again in line 3"), (1, "images[1] is an alias of &one")):
        with pytest.raises(UserError, match=message.replace("[", r"\[").replace("]", r"\]")):
            edit(text, [Edit(path=("images", index, "newTag"), value="v2")], file="k.yaml")


def test_aliases_that_double_at_each_level_cost_no_more_than_their_text() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert edit(bomb + "newTag: v1\n", [Edit(path=("newTag",), value="v2")], file="k.yaml") == bomb + "newTag: v2\n"


def test_nesting_without_end_is_a_message_and_no_crash() -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        edit("a: " + "[" * 20_000, [Edit(path=("a",), value="x")], file="k.yaml")
