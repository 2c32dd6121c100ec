"""cartwright.yaml.read: YAML with line numbers."""

from __future__ import annotations

import re

import pytest

from cartwright.kernel.errors import UserError
from cartwright.yaml.read import line_of, load, load_all, nodes, refuse_excess


def test_a_duplicate_key_is_refused_with_both_lines() -> None:
    with pytest.raises(UserError) as caught:
        load_all("a: 1\nb: 2\na: 3\n", "file.yaml")
    assert (caught.value.file, caught.value.line) == ("file.yaml", 3)
    assert "'a' is already in line 1" in caught.value.message


def test_a_syntax_error_names_file_and_line() -> None:
    with pytest.raises(UserError) as caught:
        load_all("a: 1\nb: [1, 2\nc: 3\n", "file.yaml")
    assert (caught.value.file, caught.value.line) == ("file.yaml", 3)


def test_several_documents_are_refused_where_one_is_meant() -> None:
    with pytest.raises(UserError, match="several documents"):
        load("a: 1\n---\nb: 2\n", "file.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("2026-01-02", "2026-01-02"), ("1.10", 1.1), ("'1.10'", "1.10"), ("=", "="), ("12:30", "12:30")],
    ids=["date is text", "float", "quoted is text", "equals is text", "sexagesimal is text"],
)
def test_scalars_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    assert load(f"a: {text}\n", "f") == {"a": value}


TEXT = """\
spec:
  containers:
    - name: one
      image: a
    - name: two
      image: b
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("spec", "containers", 1, "image"), (6, 4)),
        (("spec", "containers", "name=two", "image"), (6, 4)),
        (("spec", "containers", "name=two", "resources", "limits"), (5, 3)),
        (("spec", "replicas"), (1, 1)),
        ((), (1, 0)),
    ],
    ids=["by index", "by name", "missing field gives its parent", "missing key", "whole document"],
)
def test_line_of_finds_the_deepest_part_that_exists(path: tuple[str | int, ...], expected: tuple[int, int]) -> None:
    assert line_of(next(nodes(TEXT, "f")), path) == expected


def _bomb(levels: int) -> str:
    """Nine times as many values with each line."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]" for one in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(_bomb(9), 7, "aliases, written out, make more than 1000000 values", id="alias-bomb"),
        pytest.param("a: &a\n  b:\n  - *a\n", 3, "the alias *a stands within what it stands for", id="alias-of-itself"),
        pytest.param("a:\n  " + "[" * 200 + "]" * 200, 2, "values are nested deeper than 200 levels", id="brackets"),
        pytest.param("- " * 100_000 + "a", 1, "values are nested deeper than 200 levels", id="dashes"),
        pytest.param("a: [\nb: c\n", 3, "did not find expected ',' or ']'", id="syntax-error"),
    ],
)
def test_what_would_take_all_memory_is_refused_at_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(UserError) as caught:
        refuse_excess(text, "a.yaml")
    assert (caught.value.file, caught.value.line) == ("a.yaml", line)
    assert message in caught.value.message


def test_more_values_than_fit_are_refused_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cartwright.yaml.read.MOST_VALUES", 100)
    refuse_excess("- a\n" * 99, "a.yaml")
    with pytest.raises(UserError, match="holds more than 100 values; split the file") as caught:
        refuse_excess("- a\n" * 100, "a.yaml")
    assert caught.value.line == 100


def test_aliases_as_people_use_them_are_not_refused() -> None:
    refuse_excess("a: &a {b: 1}\nc: *a\nd:\n  <<: *a\n---\na: &a [1]\nb: [*a, *a]\n" + _bomb(4), "a.yaml")
    refuse_excess("a: " + "[" * 198 + "]" * 198, "a.yaml")


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999", "0b_", "1" * 5000])
def test_a_number_that_no_program_can_hold_is_refused_at_its_line(number: str) -> None:
    with pytest.raises(UserError, match=f"{re.escape(number[:40])} is not a finite number") as caught:
        load_all(f"a: b\nc: {number}\n", "a.yaml")
    assert caught.value.line == 2


def test_a_key_that_is_a_list_is_refused_at_its_line() -> None:
    with pytest.raises(UserError, match="a key must be a plain value") as caught:
        load_all("a: b\n? [c]\n: d\n", "a.yaml")
    assert caught.value.line == 2


def test_a_character_that_yaml_forbids_is_refused_at_its_line() -> None:
    with pytest.raises(UserError, match="control characters are not allowed") as caught:
        load_all("ä: b\nc: d\x07\n", "a.yaml")
    assert caught.value.line == 2
