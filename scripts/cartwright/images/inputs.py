"""What goes into a service's image, and the names that follow from it: revision, tag, key."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cartwright.images.base import CONTAINERFILE, Base
from cartwright.images.mmdebstrap import EPOCH
from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.run import run
from cartwright.tree.names import FILE as NAMES

__all__ = ["KIT", "Source", "files", "known_services", "pick_services", "read_source"]

KIT = ("services/kit/pyproject.toml", "services/kit/src")
"""What the kit's layer is made of."""
_SHARED = (CONTAINERFILE, *KIT, NAMES, "requirements.lock")
_BUILDERS = ("build.py", "lock.py")
"""Modules beside this one that decide what ends up in an image."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One service's sources as they are now."""

    service: str
    tag: str
    """The version in the service's pyproject.toml, and for a build that is not a release ``-local-<key>``."""
    revision: str
    """The commit that last changed what is inside, ``-dirty`` after it where the work tree differs."""
    epoch: int
    """That commit's time, in seconds since 1970."""
    key: str
    """Hash of all that the image is made of: its content, the base, its names."""


def known_services(root: Path) -> list[str]:
    """The services that have an image: every package under ``services/`` that can be run."""
    return sorted(path.parent.name for path in root.glob("services/*/src/*/__main__.py"))


def pick_services(root: Path, names: Iterable[str]) -> list[str]:
    """The services of these names, all of them if there is no name.

    Raises:
        UserError: one does not exist; hints at the nearest.
    """
    known = known_services(root)
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise UserError(f"no service '{name}'", hint=nearest(name, known))
    return wanted or known


def read_source(root: Path, service: str, *, base: Base, release: bool) -> Source:
    """Look at a service's sources.

    A tag means one digest, and what is built here is not what a release published under the version's own tag: so
    that tag is for releases, and any other build has its key in its tag.

    Args:
        root: the repository's work tree.
        service: a known service.
        base: what the image stands on.
        release: whether the image gets the version's own tag.

    Raises:
        UserError: a release of a work tree with changes; or no version in pyproject.toml.
        ToolError: Git does not know the files.
    """
    project = f"services/{service}/pyproject.toml"
    paths = [*_SHARED, project, f"services/{service}/src"]
    revision, epoch = run(["git", "log", "-1", "--format=%H %ct", "--", *paths], cwd=root).stdout.split() or ("", "")
    changes = run(["git", "--no-optional-locks", "status", "--porcelain", "--", *paths], cwd=root).stdout.splitlines()
    if release and (changes or not revision):
        what = changes[0].split(maxsplit=1)[1] if changes else "it has no commit"
        raise UserError(f"{service} can't be released from a work tree with changes: {what}", hint="commit them first")
    if changes or not revision:
        revision += "-dirty"
    version = _version(root / project, shown=project)
    total = hashlib.sha256(f"{base.identity} {revision} {version} {release}\n".encode())
    for path in files(root, paths):
        total.update(_hash(path.encode(), (root / path).read_bytes()))
    for name in _BUILDERS:
        total.update(_hash(name.encode(), Path(__file__).with_name(name).read_bytes()))
    key = total.hexdigest()[:12]
    tag = version if release else f"{version}-local-{key}"
    return Source(service=service, tag=tag, revision=revision, epoch=int(epoch or EPOCH), key=key)


def _version(file: Path, *, shown: str) -> str:
    try:
        return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"])
    except tomllib.TOMLDecodeError as error:
        raise UserError(str(error), file=shown) from error
    except KeyError as error:
        raise UserError("project.version is missing", file=shown) from error


def files(root: Path, paths: Iterable[str]) -> list[str]:
    """All that is there below the paths and that Git does not ignore, sorted: what a wheel takes too."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = {name for name in run(words, cwd=root).stdout.split("\0") if name}
    return sorted(name for name in listed if (root / name).is_file())


def _hash(name: bytes, content: bytes) -> bytes:
    return hashlib.sha256(name).digest() + hashlib.sha256(content).digest()
