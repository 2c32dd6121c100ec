"""cartwright.yamlfile: YAML with line numbers."""

from __future__ import annotations

import pytest

from cartwright.errors import UserError
from cartwright.yamlfile import line_of, load, load_all, nodes


def test_a_duplicate_key_is_refused_with_both_lines() -> None:
    with pytest.raises(UserError) as caught:
        load_all("a: 1\nb: 2\na: 3\n", "file.yaml")
    assert (caught.value.file, caught.value.line) == ("file.yaml", 3)
    assert "'a' stands in line 1 already" in caught.value.message


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
