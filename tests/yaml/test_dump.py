"""Data that we write as YAML is read as the same data by every reader."""

from __future__ import annotations

import io
from types import MappingProxyType
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cartwright.yaml.dump import dump_all

_TEXTS = st.one_of(
    st.sampled_from(["1.10", "0777", "0o17", "1e3", "2026-01-02", "1:30", "on", "y", "~", "=", "<<", "a: b", "a #b"]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12),
    st.lists(st.from_regex(r"\A[\w.: #-]{0,12}\Z"), max_size=3).map("\n".join),
)
_DATA = st.recursive(
    st.one_of(_TEXTS, st.booleans(), st.integers(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
    max_leaves=10,
)


@given(st.lists(_DATA, min_size=1, max_size=3), st.sampled_from([40, 140]))
def test_yaml_1_1_and_1_2_read_the_data_back(documents: list[Any], width: int) -> None:
    text = dump_all(documents, width=width)
    assert list(yaml.safe_load_all(text)) == documents
    assert list(YAML(typ="safe", pure=True).load_all(io.StringIO(text))) == documents


def test_lists_are_indented_and_keys_keep_their_order() -> None:
    shared = ("b", "on")
    content = MappingProxyType({"z": shared, "a": shared, "script": "one\ntwo\n"})
    assert dump_all([content, {"b": []}], width=80) == (
        'z:\n  - b\n  - "on"\na:\n  - b\n  - "on"\nscript: |\n  one\n  two\n---\nb: []\n'
    )
