"""From YAML files to objects: none overlooked, and what is no object is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.policy.documents import read_documents


def _write(folder: Path, content: str | bytes) -> Path:
    file = folder / "objects.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def _namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


def test_every_document_is_read_whatever_its_separator_looks_like(tmp_path: Path) -> None:
    separators = ["---\n", "--- # second\n", "---  \n", "...\n---\n", "---\r\n"]
    text = "".join(separator + _namespace(f"n{number}") for number, separator in enumerate(separators))
    documents = read_documents([_write(tmp_path, text)])
    assert [document.object["metadata"]["name"] for document in documents] == ["n0", "n1", "n2", "n3", "n4"]
    assert [document.index for document in documents] == [0, 1, 2, 3, 4]


def test_empty_documents_are_skipped_but_counted(tmp_path: Path) -> None:
    [document] = read_documents([_write(tmp_path, "---\n# nothing\n---\n" + _namespace("shop"))])
    assert document.index == 1


@pytest.mark.parametrize(
    "text", ["", "---\n", "# a comment\n", "null\n"], ids=["empty", "separator", "comment", "null"]
)
def test_a_file_without_objects_has_none(tmp_path: Path, text: str) -> None:
    assert read_documents([_write(tmp_path, text)]) == []


def test_the_items_of_a_list_are_objects_at_any_depth(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n"
        "- apiVersion: v1\n  kind: List\n  items:\n"
        "  - {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n"
    )
    documents = read_documents([_write(tmp_path, text)])
    assert [(document.object["metadata"]["name"], document.item) for document in documents] == [
        ("a", (0,)),
        ("b", (1, 0)),
    ]


def test_the_items_of_a_typed_list_get_its_kind(tmp_path: Path) -> None:
    text = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n"
    [document] = read_documents([_write(tmp_path, text)])
    assert (document.kind_key, document.item) == ("apps/Deployment", (0,))


def test_an_object_with_only_a_kind_that_ends_in_list_is_itself(tmp_path: Path) -> None:
    [document] = read_documents([_write(tmp_path, "apiVersion: example.org/v1\nkind: AllowList\nspec: {}\n")])
    assert (document.kind_key, document.item) == ("example.org/AllowList", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "document 1 is not a Kubernetes object but a list"),
        ("--- hello\n", "document 1 is not a Kubernetes object but a text"),
        ("5\n", "document 1 is not a Kubernetes object but a number"),
        ("kind: Pod\n", "document 1 is not a Kubernetes object: it has no apiVersion"),
        ("apiVersion: v1\n", "document 1 is not a Kubernetes object: it has no kind"),
        ("apiVersion: v1\nkind: 5\n", "document 1 is not a Kubernetes object: it has no kind"),
        (_namespace("a") + "---\na: b\n", "document 2 is not a Kubernetes object: it has no apiVersion"),
        (
            "apiVersion: v1\nkind: List\nitems: [null]\n",
            "document 1, items[0] is not a Kubernetes object but nothing",
        ),
    ],
    ids=["list", "text", "number", "no-version", "no-kind", "kind-is-a-number", "second", "null-item"],
)
def test_what_is_no_object_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = _write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_documents([file])
    assert str(caught.value) == f"{file}: {message}"


def test_a_file_that_is_not_utf_8_is_refused_at_its_line(tmp_path: Path) -> None:
    file = _write(tmp_path, b"apiVersion: v1\nkind: Namespace\nmetadata: {name: caf\xe9}\n")
    with pytest.raises(UserError) as caught:
        read_documents([file])
    assert str(caught.value) == f"{file}:3: is not UTF-8"


def test_a_syntax_error_is_refused_at_its_line(tmp_path: Path) -> None:
    file = _write(tmp_path, "apiVersion: v1\nkind: [\n")
    with pytest.raises(UserError) as caught:
        read_documents([file])
    assert (caught.value.file, caught.value.line) == (str(file), 3)


def test_a_key_that_stands_twice_is_refused_at_its_line(tmp_path: Path) -> None:
    file = _write(tmp_path, "apiVersion: v1\nkind: Namespace\nkind: Pod\n")
    with pytest.raises(UserError, match="the key 'kind' is already in line 2") as caught:
        read_documents([file])
    assert caught.value.line == 3


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        read_documents([tmp_path / "none.yaml"])


def test_plain_scalars_are_read_as_kubernetes_reads_them(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\n"
        "data: {day: 2026-01-31, time: 12:30, float: 1e3, octal: 0644, yes: yes, quoted: '1'}\n"
    )
    [document] = read_documents([_write(tmp_path, text)])
    assert document.object["data"] == {
        "day": "2026-01-31",
        "time": "12:30",
        "float": 1000.0,
        "octal": 420,
        True: True,
        "quoted": "1",
    }
