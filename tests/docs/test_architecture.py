"""The docs name packages and files that exist, and the layers that `make lint` checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts" / "cartwright"


def layers() -> list[set[str]]:
    """The contract of import-linter, highest layer first."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    return [set(layer.split(" : ")) for layer in contract["layers"]]


def test_the_architecture_page_lists_the_layers_in_their_order() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    listed = re.findall(r"^\| `([a-z]+)/` \|", page.partition("## Packages")[2].partition("\n## ")[0], re.MULTILINE)
    ranks = [next(rank for rank, names in enumerate(layers()) if name in names) for name in listed]
    assert ranks == sorted(ranks)
    assert set(listed) == {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")}


def _places() -> list[str]:
    cells = re.findall(r"\| ([^|]+) \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    return [place for cell in cells for place in re.findall(r"`([\w./-]+/[\w./-]*)`", cell)]


@pytest.mark.parametrize("place", _places())
def test_every_place_that_the_glossary_names_exists(place: str) -> None:
    assert any((base / place).exists() for base in (ROOT, PACKAGE)), f"{place}: nothing is there"
