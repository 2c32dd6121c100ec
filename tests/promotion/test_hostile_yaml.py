"""Invariant 1 against hostile YAML: only the two scalars differ, byte for byte, or the edit is refused with its reason.

``pytest -s`` prints the counts; ``CARTWRIGHT_REPORTS=folder`` keeps them there.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cartwright.history.release import read_release
from cartwright.kernel.errors import UserError
from cartwright.tools import require
from cartwright.yaml.edit import Edit, edit
from tests.promotion.hostile import DIGEST, TAG, TAGS, Document, Tally, documents

pytestmark = pytest.mark.slow

NEW_DIGEST = "sha256:" + "ab" * 32
# Always the same cases, so that the counts are the same; a failing text is short enough to read as it is.
HOSTILE = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
FILE = "environments/prod/shop/app/kustomization.yaml"


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    found = Tally()
    yield found
    sys.stdout.write(f"\n{found.sentence()}\n")
    found.keep()


def move(document: Document, tag: str) -> str:
    """The edit that a promotion makes."""
    place = ("images", document.index)
    edits = [
        Edit(path=(*place, "newTag"), value=tag, document=document.position),
        Edit(path=(*place, "digest"), value=NEW_DIGEST, document=document.position),
    ]
    return edit(document.text, edits, file=FILE)


def ruamel_reads(text: str) -> list[Any]:
    """Every document as YAML 1.2 by another reader, which takes no tab between tokens where Go's does."""
    return list(ruamel.yaml.YAML(typ="safe", pure=True).load_all(io.StringIO(text.replace("\t", " "))))


def moved(data: list[Any], document: Document, tag: str) -> list[Any]:
    """Loaded documents with the two values changed, and nothing else."""
    entry = data[document.position]["images"][document.index]
    entry.update(newTag=tag, digest=NEW_DIGEST)
    return data


@settings(HOSTILE, max_examples=600)
@given(document=documents(refused=False), new=st.sampled_from(TAGS))
def test_only_the_two_scalars_differ_byte_for_byte(tally: Tally, document: Document, new: str) -> None:
    after = move(document, new)
    written = document.fits(after)
    assert written is not None, "a byte changed that was not to change"
    assert yaml.safe_load(written[TAG].replace("&alone ", "")) == new
    assert yaml.safe_load(written[DIGEST].replace("&lonely ", "")) == NEW_DIGEST
    tally.note("edited")


@settings(HOSTILE, max_examples=400)
@given(document=documents(refused=True))
def test_what_can_not_be_changed_alone_is_refused_with_file_line_and_reason(tally: Tally, document: Document) -> None:
    with pytest.raises(UserError) as caught:
        move(document, "9.9.9")
    assert document.refusal is not None
    assert document.refusal in caught.value.message
    assert (caught.value.file, caught.value.line) == (FILE, document.line)
    tally.note("refused")


@settings(HOSTILE, max_examples=120)
@given(document=documents(refused=False), new=st.sampled_from(TAGS))
def test_another_reader_finds_the_two_values_and_all_else_as_it_was(tally: Tally, document: Document, new: str) -> None:
    after = move(document, new)
    assert ruamel_reads(after) == moved(ruamel_reads(document.text), document, new)
    written = document.fits(after)
    assert written is not None
    again = replace(document, tag=written[TAG], digest=written[DIGEST])
    assert move(again, new) == again.text == after, "an edit to what is there already changes nothing"
    tally.note("ruamel")


@settings(HOSTILE, max_examples=60)
@given(document=documents(refused=False, alone=True), new=st.sampled_from(TAGS))
def test_kustomize_builds_the_new_images_and_all_else_as_it_was(
    tally: Tally, base: Path, document: Document, new: str
) -> None:
    after = move(document, new)
    old_objects, new_objects = build(base, replace(document, tag="'old-tag'").text), build(base, after)
    wanted = str(old_objects[0]).replace("old-tag@sha256:" + "cd" * 32, f"{new}@{NEW_DIGEST}")
    assert f":{new}@{NEW_DIGEST}" in wanted
    assert str(new_objects[0]) == wanted
    tally.note("kustomize")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the base that the generated kustomizations name."""
    folder = tmp_path_factory.mktemp("hostile")
    containers = [{"name": f"c{n}", "image": f"app-{n}"} for n in range(4)]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app", "labels": {"a": "b"}},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(deployment), encoding="utf-8")
    return folder


def build(folder: Path, kustomization: str) -> list[Any]:
    """What kustomize makes of it."""
    (folder / "kustomization.yaml").write_bytes(kustomization.encode())
    tool = require(["kustomize"])["kustomize"]
    done = subprocess.run([tool, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{kustomization}"
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


# The traps that other tools have fallen into, each by itself.


def release(text: str, tag: str, *, index: int = 0) -> str:
    """A promotion's edit of both scalars."""
    place = ("images", index)
    return edit(
        text, [Edit(path=(*place, "newTag"), value=tag), Edit(path=(*place, "digest"), value=NEW_DIGEST)], file=FILE
    )


def test_entries_are_not_sorted_and_their_comments_stay_with_them() -> None:
    text = (
        "images:\n  # the last by name, the first by importance\n  - {name: z, newTag: v1, digest: old}  # z\n"
        "  # a\n  - name: a\n    newTag: v1  # of a\n    digest: old\n"
    )
    assert release(text, "v2") == text.replace("v1, digest: old", f"v2, digest: {NEW_DIGEST}")
    assert release(text, "v2", index=1) == text.replace("newTag: v1  ", "newTag: v2  ").replace(
        "\n    digest: old", f"\n    digest: {NEW_DIGEST}"
    )


def test_new_name_is_kept() -> None:
    text = "images:\n- newName: mirror.example.com:5000/a\n  newTag: v1\n  name: a\n  digest: old\n"
    assert release(text, "v2") == text.replace("v1", "v2").replace("old", NEW_DIGEST)


def test_a_flow_map_stays_valid_whatever_the_tag_holds() -> None:
    text = "images: [{name: a, newTag: v1,digest: old}]\n"
    for tag, written in (("1.2", '"1.2"'), ("v2.", "v2."), ("on", '"on"'), ("-x", '"-x"')):
        after = release(text, tag)
        assert after == f"images: [{{name: a, newTag: {written},digest: {NEW_DIGEST}}}]\n"
        assert yaml.safe_load(after)["images"][0]["newTag"] == tag


def test_a_json_kustomization_stays_json() -> None:
    text = '{"images":[{"name":"a","newTag":"v1","digest":"old"}]}'
    assert release(text, "v2") == text.replace("v1", "v2").replace("old", NEW_DIGEST)


def test_an_anchor_under_its_alias_is_neither_removed_nor_changed_for_all_its_users() -> None:
    text = "images:\n- {name: a, newTag: &v v1, digest: old}\n- {name: b, newTag: *v, digest: old}\n"
    with pytest.raises(UserError, match="anchor &v is used again in line 3, which would change too") as caught:
        release(text, "v2")
    assert caught.value.line == 2
    with pytest.raises(UserError, match=r"images\[1\].newTag is an alias of &v in line 2") as caught:
        release(text, "v2", index=1)
    assert caught.value.line == 3


def test_line_endings_stay_even_where_a_file_has_both() -> None:
    text = "images:\r\n- name: a\n  newTag: v1\r\n  digest: old\n# end\r\n"
    assert release(text, "v2") == text.replace("v1", "v2").replace("old", NEW_DIGEST)


@pytest.mark.parametrize("tag", ["2026-01-02", "on", "1.10", "0777", "1e3", "null", "0x1f", "1_000", "12", "0o7"])
def test_a_tag_that_yaml_would_take_for_something_else_is_quoted(tag: str) -> None:
    text = "images:\n- name: a\n  newTag: v1 # x\n  digest: old\n"
    after = release(text, tag)
    assert f'newTag: "{tag}" # x\n' in after
    assert ruamel_reads(after)[0]["images"][0]["newTag"] == yaml.safe_load(after)["images"][0]["newTag"] == tag


@pytest.mark.parametrize("tag", ["2026-01-02", "on", "1.10", "0777", "y", "0o17"])
def test_a_release_whose_tag_is_no_text_is_refused_with_its_line(tag: str) -> None:
    text = f"images:\n- name: a\n  newTag: {tag}\n  digest: {NEW_DIGEST}\n"
    with pytest.raises(UserError, match=f"newTag {tag} is not text in YAML") as caught:
        read_release(text, FILE).require_complete()
    assert (caught.value.line, caught.value.hint) == (3, f'write "{tag}" with quotes')


def test_every_document_is_kept() -> None:
    text = f"---\n# nothing here\n---\nimages: [{{name: a, newTag: v1, digest: {NEW_DIGEST}}}]\n...\n---\n# the end"
    (pin,) = read_release(text, FILE).pins
    after = edit(text, [Edit(path=("images", pin.index, "newTag"), value="v2", document=pin.document)], file=FILE)
    assert after == text.replace("v1", "v2")


def test_neighbouring_lines_change_one_by_one_and_together() -> None:
    text = "images:\n- name: a\n  newTag: v1\n  digest: old\n- name: b\n  newTag: v1\n  digest: old\n"
    one = release(release(text, "v2"), "v3", index=1)
    assert one == release(release(text, "v3", index=1), "v2"), "in whatever order"
    assert one.splitlines()[2::3] == ["  newTag: v2", "  newTag: v3"]


def test_an_overlay_of_ten_thousand_lines_takes_seconds() -> None:
    filler = "".join(f"- target: {{kind: Deployment, name: d{n}}}\n  path: p{n}.yaml  # {n}\n" for n in range(4_996))
    text = f"# head\n# of two lines\npatches:\n{filler}images:\n# ours\n- name: a\n  newTag: v1\n  digest: old\n"
    assert text.count("\n") == 10_000
    began = time.process_time()
    read_release(text, FILE)
    after = release(text, "v2")
    assert time.process_time() - began < 20
    assert after == text.replace("newTag: v1", "newTag: v2").replace("digest: old", f"digest: {NEW_DIGEST}")


@pytest.mark.parametrize(
    "level",
    [
        pytest.param("&a{n} [*a{m}, *a{m}, *a{m}]", id="lists"),
        pytest.param("&a{n} {{x: *a{m}, y: *a{m}}}", id="mappings"),
        pytest.param("&a{n} {{<<: [*a{m}, *a{m}]}}", id="merge keys"),
    ],
)
def test_an_alias_bomb_costs_no_more_than_its_text(level: str) -> None:
    lines = ["metadata:\n  a0: &a0 {k: v}\n"]
    lines += [f"  a{n}: {level.format(n=n, m=n - 1)}\n" for n in range(1, 80)]
    text = "".join(lines) + "images:\n- {name: a, newTag: v1, digest: old}\n- {<<: *a79, name: b}\n"
    if "<<" not in level:
        text = text.replace("<<: *a79, ", "")
    began = time.process_time()
    (first, second) = read_release(text, FILE).pins
    assert release(text, "v2") == text.replace("v1", "v2").replace("old", NEW_DIGEST)
    assert (first.tag, second.tag) == ("v1", None)
    assert time.process_time() - began < 5


def test_an_entry_that_merges_itself_is_read_once() -> None:
    text = "images:\n- &a {name: a, <<: {<<: *a}}\n"
    (pin,) = read_release(text, FILE).pins
    assert pin.tag is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("images: []\n# x\nimages: []\n", 3, "the key 'images' is already in line 1"),
        ("images:\n- name: a\n  newTag: v1\n  'newTag': v1\n", 4, "the key 'newTag' is already in line 3"),
        ('labels:\n- pairs: {a: b,\n   "a": c}\nimages: []\n', 3, "the key 'a' is already in line 2"),
        ("images:\n- {name: a, newTag: v1}\n- {name: a, newTag: v2}\n", 3, "images has 'a' in line 2 already"),
    ],
)
def test_what_stands_twice_is_refused_with_both_lines(text: str, line: int, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_release(text, FILE)
    assert (caught.value.file, caught.value.line) == (FILE, line)
