"""Which base is taken: the pinned one where its registry answers, else one of Debian's packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cartwright.images import base as module
from cartwright.images import mmdebstrap
from cartwright.images.base import choose_base, pinned_base
from cartwright.kernel.errors import ToolError, UserError
from tests.images.conftest import ROOT

DIGEST = "sha256:" + "ab" * 32


class Store:
    """A store without buildah: what is pulled is there afterwards."""

    def __init__(self, folder: Path, *images: str) -> None:
        self.store = folder
        self.images = set(images)
        self.pulled: list[str] = []

    def __call__(self, *words: str) -> str:
        assert words[:2] == ("pull", "--quiet")
        if "missing" in words[2]:
            raise ToolError("buildah ended with code 125: manifest unknown")
        self.pulled.append(words[2])
        self.images.add(words[2])
        return ""

    def identity(self, image: str) -> str | None:
        return f"id of {image}" if image in self.images else None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "services").mkdir()
    text = f"# A comment\nARG BASE=reg.example:5000/library/python:3.11-slim@{DIGEST}\nFROM ${{BASE}}\n"
    (tmp_path / "services/Containerfile").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each question to the registry, which gives no answer while `silent` exists."""
    program = tmp_path / "bin" / "skopeo"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n'
        f"[ -e {tmp_path}/silent ] || exit 0\n"
        'echo "pinging container registry: Get \\"https://x/v2/\\": dial tcp: no such host" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.delenv("CARTWRIGHT_BASE", raising=False)
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF", raising=False)
    (tmp_path / "asked").touch()
    (tmp_path / "silent").touch()
    return tmp_path / "asked"


@pytest.fixture
def debian(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the bases that were made."""
    made: list[str] = []

    def make(store: Any, name: str, _why: str) -> None:
        made.append(name)
        store.images.add(name)

    monkeypatch.setattr(module, "_make", make)
    return made


PINNED = f"reg.example:5000/library/python@{DIGEST}"


def choose(root: Path, store: Store, wanted: str | None = None) -> tuple[str, str, list[str]]:
    said: list[str] = []
    base = choose_base(root, store, wanted=wanted, say=said.append)  # type: ignore[arg-type]
    assert base.identity == f"id of {base.reference}"
    return base.reference, base.line, said


def test_the_containerfile_pins_a_base_of_docker_hub_by_its_digest() -> None:
    name, _, digest = pinned_base(ROOT).partition("@sha256:")
    assert name == "docker.io/library/python"
    assert len(digest) == 64


def test_the_pinned_base_is_pulled_where_its_registry_answers_and_only_once(root: Path, asked: Path) -> None:
    (root / "silent").unlink()
    store = Store(root)
    reference, line, said = choose(root, store)
    assert (reference, store.pulled) == (PINNED, [PINNED])
    assert line == f"{PINNED} (pinned in services/Containerfile)"
    assert said == [f"images: getting the base {PINNED} …"]
    assert choose(root, store)[2] == []
    assert len(asked.read_text().splitlines()) == len(store.pulled) == 1


def test_without_a_registry_a_base_of_debians_packages_is_made_and_the_line_says_why(
    root: Path, asked: Path, debian: list[str]
) -> None:
    store = Store(root)
    reference, line, said = choose(root, store)
    assert debian == [reference]
    assert line == "Debian bookworm's packages by mmdebstrap (reg.example:5000: no such host)"
    assert said == ["images: making a base of Debian's packages (reg.example:5000: no such host) …"]
    assert choose(root, store) == (reference, line, [])
    assert len(asked.read_text().splitlines()) == 1
    assert "--command-timeout 5s" in asked.read_text()


def test_a_registry_that_was_silent_is_asked_again_after_an_hour_and_for_another_image(
    root: Path, asked: Path, debian: list[str]
) -> None:
    store = Store(root)
    choose(root, store)
    note = json.loads((root / "unreachable").read_text())
    (root / "unreachable").write_text(json.dumps({**note, "asked": note["asked"] - 3601}))
    (root / "silent").unlink()
    assert choose(root, store)[0] == PINNED
    assert not (root / "unreachable").exists()
    (root / "silent").touch()
    other = "sha256:" + "cd" * 32
    file = root / "services/Containerfile"
    file.write_text(file.read_text().replace(DIGEST, other))
    assert choose(root, store)[0] == debian[0]
    assert other in asked.read_text().splitlines()[-1]


def test_a_base_that_was_asked_for_is_taken_without_asking_for_the_pinned_one(
    root: Path, asked: Path, debian: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(root)
    assert choose(root, store, f"other.example/python:3@{DIGEST}")[0] == f"other.example/python@{DIGEST}"
    assert choose(root, store, "debian")[1].endswith("(as asked)")
    monkeypatch.setenv("CARTWRIGHT_BASE", "other.example/python:3")
    assert choose(root, store)[0] == "other.example/python:3"
    with pytest.raises(ToolError, match="manifest unknown"):
        choose(root, store, "other.example/missing:3")
    assert asked.read_text() == ""
    assert len(debian) == 1


def test_without_root_the_message_names_the_way_out(root: Path, asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmdebstrap, "require_programs", lambda *_: None)
    monkeypatch.setattr(mmdebstrap.os, "geteuid", lambda: 1000)
    with pytest.raises(ToolError, match=r"\(reg\.example:5000: no such host; --base names another\) needs root$"):
        choose(root, Store(root))
    assert asked.read_text()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("FROM scratch\n", "services/Containerfile: no ARG BASE"),
        ("\nARG BASE=docker.io/library/python:3.11\n", "services/Containerfile:2: BASE has no digest"),
        ("ARG BASE\n", "services/Containerfile:1: BASE has no digest"),
    ],
)
def test_a_base_that_is_not_pinned_is_refused_with_its_place(root: Path, text: str, place: str) -> None:
    (root / "services/Containerfile").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"^{place}"):
        pinned_base(root)
