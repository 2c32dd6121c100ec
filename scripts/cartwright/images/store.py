"""Built images kept by what they are made from, so that only a change builds again."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cartwright.images.build import REGISTRY, SHARED, build_images, known_services
from cartwright.images.buildah import Built, open_store
from cartwright.images.debian import build_debian, load_recipes
from cartwright.paths import cache_root

__all__ = ["SANDBOX", "stored_recipe", "stored_recipes", "stored_service", "stored_services"]

SANDBOX = "sandbox"
"""The recipe of the image that holds a pod's namespaces."""
_KEEP = 3
"""How many builds of an image stay."""


def stored_services(root: Path) -> dict[str, Built]:
    """Every service's image, from the work tree as it is, by the service's name.

    Raises:
        ToolError: a program is missing or fails.
    """
    return {service: stored_service(root, service) for service in known_services(root)}


def stored_service(root: Path, service: str) -> Built:
    """One service's image, built if its sources have none yet."""
    files = [file for source in (*SHARED, f"services/{service}") for file in _files(root / source)]
    key = _digest([(str(file.relative_to(root)), file.read_bytes()) for file in files])
    known = _load(service, key)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix=".building-", dir=_home(service)) as side:
        (image,) = build_images(root, [service], output=Path(side))
        built = Built(name=image.name, tag=image.tag, digest=image.digest, size=image.size, layout=Path(side) / service)
        return _keep(service, key, built)


def stored_recipes(root: Path) -> dict[str, Built]:
    """Every image made of Debian's packages, by the recipe's name.

    Raises:
        UserError: a recipe is malformed.
        ToolError: a program is missing or fails.
    """
    return {name: stored_recipe(root, name) for name in load_recipes(root)}


def stored_recipe(root: Path, name: str) -> Built:
    """One of them. A build stays until its recipe changes, whatever Debian has published since."""
    recipe = load_recipes(root)[name]
    known = _load(name, recipe.key)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix=".building-", dir=_home(name)) as side:
        built = build_debian(recipe, registry=REGISTRY, output=Path(side) / name, buildah=open_store())
        return _keep(name, recipe.key, built)


def _home(name: str) -> Path:
    home = cache_root() / "oci" / name
    home.mkdir(parents=True, exist_ok=True)
    return home


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    for file in sorted(source.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and "tests" not in file.parts:
            yield file


def _digest(parts: list[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in parts:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:12]


def _load(name: str, key: str) -> Built | None:
    folder = _home(name) / key
    try:
        data = json.loads((folder / "image.json").read_text(encoding="utf-8"))
    except OSError:
        return None
    return Built(**{**data, "layout": folder / "layout"})


def _keep(name: str, key: str, built: Built) -> Built:
    """Move a fresh build to its place; the oldest ones go."""
    home = _home(name)
    with tempfile.TemporaryDirectory(prefix=".keeping-", dir=home) as side:
        fresh = Path(side) / key
        fresh.mkdir()
        built.layout.rename(fresh / "layout")
        data = {**asdict(built), "layout": None}
        (fresh / "image.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(home / key, ignore_errors=True)
        fresh.rename(home / key)
    kept = sorted((one for one in home.iterdir() if not one.name.startswith(".")), key=lambda one: one.stat().st_mtime)
    for old in kept[:-_KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    found = _load(name, key)
    assert found is not None  # noqa: S101 - it was put there just now
    return found
