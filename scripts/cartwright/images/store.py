"""Built images kept by what they are made from, so that only a change builds again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from cartwright.images.base import Base, choose_base
from cartwright.images.build import build_service
from cartwright.images.buildah import Buildah, Built, open_store
from cartwright.images.debian import build_debian
from cartwright.images.inputs import pick_services, read_source
from cartwright.images.recipes import load_recipes
from cartwright.kernel.atomic import put_folder
from cartwright.kernel.errors import UserError
from cartwright.kernel.paths import cache_root
from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree

__all__ = ["SANDBOX", "stored_images", "stored_recipe", "stored_recipes", "stored_services"]

SANDBOX = "sandbox"
"""The recipe of the image that holds a pod's namespaces."""
_KEEP = 3
"""How many builds of an image stay."""
_ATTEMPTS = 3
"""How often a service is built whose files change while it is built."""


def _quiet(_line: str) -> None:
    pass


def stored_services(
    root: Path,
    services: Sequence[str] = (),
    *,
    base: str | None = None,
    release: bool = False,
    say: Callable[[str], None] = _quiet,
) -> dict[str, Built]:
    """The images of services, from the work tree as it is, by the service's name; built where the store has none.

    Args:
        root: the repository's work tree.
        services: which; all of them where none is named.
        base: image to build on, see :func:`cartwright.images.base.choose_base`.
        release: give the images the versions' own tags.
        say: told which base was taken, and of each build.

    Raises:
        UserError: an unknown service; a release of a work tree with changes; sources that can't be built or that
            change meanwhile.
        ToolError: a program is missing or fails.
    """
    names = pick_services(root, services)
    buildah = open_store()
    with buildah.exclusive(say):
        chosen = choose_base(root, buildah, wanted=base, say=say)
        say(f"images: base: {chosen.line}")
        found = {}
        for name in names:
            found[name] = _stored_service(root, name, base=chosen, release=release, buildah=buildah, say=say)
        return found


def _stored_service(
    root: Path, name: str, *, base: Base, release: bool, buildah: Buildah, say: Callable[[str], None]
) -> Built:
    for _ in range(_ATTEMPTS):
        source = read_source(root, name, base=base, release=release)
        known = _load(name, source.key)
        if known is not None:
            return known
        say(f"images: building {name} {source.tag} …")
        with _side(name) as side:
            built = build_service(root, source, base=base, buildah=buildah, output=side / "layout")
            # A file that was saved meanwhile may be in it, or not.
            if read_source(root, name, base=base, release=release) == source:
                known = _keep(name, source.key, built)
        buildah.trim(keep=[base.reference])
        if known is not None:
            return known
    raise UserError(f"{name}: files changed while they were built", hint="build again")


def stored_recipes(root: Path, *, say: Callable[[str], None] = _quiet) -> dict[str, Built]:
    """Every image made of Debian's packages, by the recipe's name.

    Args:
        root: the repository's work tree.
        say: told of each that is made.

    Raises:
        UserError: a recipe is malformed.
        ToolError: a program is missing or fails.
    """
    return {name: stored_recipe(root, name, say=say) for name in load_recipes(root)}


def stored_recipe(root: Path, name: str, *, say: Callable[[str], None] = _quiet) -> Built:
    """One of them. A build stays until its recipe changes, whatever Debian has published since."""
    recipe = load_recipes(root)[name]
    known = _load(name, recipe.key)
    if known is not None:
        return known
    buildah = open_store()
    with buildah.exclusive(say):
        known = _load(name, recipe.key)  # by whom the lock was waited for
        if known is not None:
            return known
        say(f"images: making {name} of Debian's packages …")
        with _side(name) as side:
            built = build_debian(recipe, names=read_names(open_tree(root)), output=side / "l", buildah=buildah)
            return _keep(name, recipe.key, built)


def stored_images() -> Iterator[tuple[str, Built]]:
    """Every image that the store has, with the name of its service or recipe: by name, the latest used first."""
    for home in sorted(_root().glob("*")):
        for build in sorted(_builds(home), key=_used, reverse=True):
            found = _read(build)
            if found is not None:
                yield home.name, found


def _root() -> Path:
    return cache_root() / "oci"


def _home(name: str) -> Path:
    home = _root() / name
    home.mkdir(parents=True, exist_ok=True)
    return home


def _builds(home: Path) -> list[Path]:
    return [one for one in home.iterdir() if one.is_dir() and not one.name.startswith(".")]


def _used(build: Path) -> float:
    return build.stat().st_mtime


def _load(name: str, key: str) -> Built | None:
    build = _home(name) / key
    found = _read(build)
    if found is not None:
        os.utime(build)
    return found


def _read(build: Path) -> Built | None:
    try:
        data = json.loads((build / "image.json").read_text(encoding="utf-8"))
        (build / "layout" / "index.json").stat()
        return Built(**{**data, "layout": build / "layout"})
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def _side(name: str) -> Iterator[Path]:
    """A folder to build in, gone afterwards; those of killed builds go first. The lock must be held."""
    home = _home(name)
    for left in home.glob(".building-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=home) as folder:
        yield Path(folder)


def _keep(name: str, key: str, built: Built) -> Built:
    """Move a fresh build to its place; those that were not used for longest go. Called within :func:`_side`."""
    home, side = _home(name), built.layout.parent
    fresh = side / key
    fresh.mkdir()
    built.layout.rename(fresh / "layout")
    _share(fresh / "layout")
    data = {**asdict(built), "layout": None}
    (fresh / "image.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    put_folder(fresh, home / key)
    for old in sorted(_builds(home), key=_used)[:-_KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return Built(**{**data, "layout": home / key / "layout"})


def _share(layout: Path) -> None:
    """Layers that another stored image has too are stored once."""
    for blob in (layout / "blobs" / "sha256").iterdir():
        twin = next((one for one in _root().glob(f"*/*/layout/blobs/sha256/{blob.name}") if one != blob), None)
        if twin is not None:
            link = blob.with_name(f"{blob.name}.link")
            os.link(twin, link)
            link.replace(blob)
