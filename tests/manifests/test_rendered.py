"""The services' bases render to the objects that tests/manifests/rendered holds, field by field.

Most of these objects come from components. A change of a component changes every service at once: here it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.run import run
from cartwright.tools import require
from cartwright.tree.repository import find_root
from cartwright.yaml.read import load_all

ROOT = find_root(Path(__file__))
REFERENCES = Path(__file__).parent / "rendered"
SERVICES = ("catalog", "gateway", "orders")


def objects(text: str, name: str) -> dict[tuple[str, str], Any]:
    """The objects of a build by kind and name."""
    found = [one for one in load_all(text, name) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where two values differ: paths of fields, and what stands there."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys(), key=str):
            yield from differences(expected.get(key, "nothing"), found.get(key, "nothing"), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{path}/{index}")
    elif expected != found:
        yield f"{path}: {expected!r} became {found!r}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_base_renders_to_its_reference(name: str) -> None:
    built = run([require(["kustomize"])["kustomize"], "build", f"apps/shop/{name}"], cwd=ROOT).stdout
    found = objects(built, name)
    expected = objects((REFERENCES / f"{name}.yaml").read_text(), name)
    assert sorted(found) == sorted(expected)
    assert [f"{'/'.join(key)}{one}" for key in expected for one in differences(expected[key], found[key])] == []


def test_every_reference_is_compared() -> None:
    assert {path.stem for path in REFERENCES.iterdir()} == set(SERVICES)


@pytest.mark.parametrize("folder", sorted((ROOT / "apps" / "shop").iterdir()), ids=lambda folder: folder.name)
def test_a_base_says_in_60_lines_what_is_its_own(folder: Path) -> None:
    lines = {file.name: len(file.read_text().splitlines()) for file in folder.iterdir()}
    # Generated, and as long as the edges of the app ask for.
    del lines["networkpolicy.yaml"]
    assert sum(lines.values()) <= 60, lines
