"""A scalar that we write is read as the same string by every reader."""

from __future__ import annotations

import io

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cartwright.yaml.scalars import needs_quotes, scalar

NUMBERS = [
    "1.10",
    "0777",
    "0o17",
    "0x1F",
    "1e3",
    "12e4567",
    "1_000",
    ".5",
    "nan",
    ".inf",
    "1:30",
    "2026-01-02",
    "2026-1-2",
]
WORDS = ["on", "Off", "y", "null", "~", "=", "<<", "-", "*a", "&a", "!a", "%a", "@a", "|", "{a"]
AMBIGUOUS = [*NUMBERS, *WORDS, "", "a: b", "a #b", "- a"]


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_an_ambiguous_string_is_quoted(value: str) -> None:
    assert needs_quotes(value)


@pytest.mark.parametrize(
    "value", ["1.4.0", "v1", "2026.01.02-3f", "sha256:" + "0" * 64, "main-1a2b3c", "catalog", "1.2.3-rc.1"]
)
def test_an_unambiguous_string_stays_plain(value: str) -> None:
    assert scalar(value) == value


@given(
    st.one_of(
        st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C",))), st.from_regex(r"\A[\w.:+-]{1,12}\Z")
    )
)
def test_yaml_1_1_and_1_2_read_the_string_back_in_block_and_in_flow(value: str) -> None:
    text = f"block: {scalar(value)}\nflow: {{a: {scalar(value)}, b: [{scalar(value)}]}}\n"
    for data in (yaml.safe_load(text), YAML(typ="safe", pure=True).load(io.StringIO(text))):
        assert data == {"block": value, "flow": {"a": value, "b": [value]}}
