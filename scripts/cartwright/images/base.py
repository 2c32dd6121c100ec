"""The image below the services' own: the pinned one, or where no registry can be reached one of Debian's packages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cartwright.images.mmdebstrap import EPOCH, LEFT_OUT, REMOVED, SUITE, make_root
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.run import run

if TYPE_CHECKING:
    from cartwright.images.buildah import Buildah

__all__ = [
    "CONTAINERFILE",
    "DEBIAN",
    "Base",
    "choose_base",
    "pinned_base",
]

CONTAINERFILE = "services/Containerfile"
DEBIAN = "debian"
"""What ``--base`` calls the image made of Debian's packages."""
VARIABLE = "CARTWRIGHT_BASE"
"""Environment variable that stands in for ``--base``, for `up` too."""
_PACKAGES = ("ca-certificates", "libpython3-stdlib", "python3-minimal")
# Debian calls it python3 alone; the service images say `python`, as other bases do.
_LINK = 'ln -s python3 "$1/usr/bin/python"'

_PIN = re.compile(
    r"^ARG BASE=(?P<name>[^\s:@]+(?::[0-9]+)?(?:/[^\s:@]+)*)(?::[\w.-]+)?(?P<digest>@sha256:[0-9a-f]{64})$"
)
_TAG_OF_DIGEST = re.compile(r":[\w.-]+(?=@sha256:)")
"""buildah names what it pulled by digest without the tag."""
_ASK_SECONDS = 5
_ASK_AGAIN = 3600.0
"""Seconds for which a registry that did not answer is not asked again."""


@dataclass(frozen=True)
class Base:
    """The image to build on."""

    reference: str
    """As buildah names it."""
    identity: str
    """Hash of its configuration, which names all that is in it."""
    line: str
    """Which it is and why, in one line."""


def pinned_base(root: Path) -> str:
    """The default base, ``registry/repository@sha256:…``: the default of BASE in ``services/Containerfile``.

    Raises:
        UserError: there is none, or it is not pinned by a digest.
    """
    file = root / CONTAINERFILE
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.startswith("ARG BASE"):
            found = _PIN.match(line.rstrip())
            if found is None:
                raise UserError(
                    "BASE has no digest", file=CONTAINERFILE, line=number, hint="ARG BASE=host/path:tag@sha256:…"
                )
            return found["name"] + found["digest"]
    raise UserError("no ARG BASE", file=CONTAINERFILE, hint="ARG BASE=host/path:tag@sha256:…")


def choose_base(root: Path, buildah: Buildah, *, wanted: str | None, say: Callable[[str], None]) -> Base:
    """Find the base, and get or make it if the store has none.

    Args:
        root: the repository's work tree.
        buildah: the store; nobody else may be building in it.
        wanted: an image, or ``debian``; by default $CARTWRIGHT_BASE, else the pinned one if its registry answers,
            else ``debian``.
        say: told what takes a while.

    Raises:
        UserError: the Containerfile pins no base.
        ToolError: a program is missing, an image that was asked for by name can't be had, or without root `debian`.
    """
    wanted = wanted or os.environ.get(VARIABLE) or None
    if wanted == DEBIAN:
        return _debian(buildah, "as asked", say=say)
    pinned = pinned_base(root)
    reference = _TAG_OF_DIGEST.sub("", wanted) if wanted else pinned
    identity = buildah.identity(reference)
    why = ""
    if identity is None and not wanted:
        why = _silent(buildah.store / "unreachable", pinned)
        if why:
            return _debian(buildah, why, say=say)
    if identity is None:
        say(f"images: getting the base {reference} …")
        buildah("pull", "--quiet", reference)
        identity = buildah.identity(reference)
    if identity is None:
        raise ToolError(f"buildah: {reference} was pulled but is not in the store")
    return Base(reference, identity, f"{reference} ({'as asked' if wanted else f'pinned in {CONTAINERFILE}'})")


def _silent(note: Path, pinned: str) -> str:
    """Why the registry can't give the pinned image; empty where it can. A refusal is remembered for a while."""
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["image"] == pinned and 0 <= time.time() - known["asked"] < _ASK_AGAIN:
            return str(known["answer"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    mirrors = os.environ.get("CONTAINERS_REGISTRIES_CONF")  # buildah reads it, skopeo is told
    words = ["skopeo", *(["--registries-conf", mirrors] if mirrors else []), "--command-timeout", f"{_ASK_SECONDS}s"]
    words += ["inspect", "--raw", f"docker://{pinned}"]
    try:
        run(words, timeout=_ASK_SECONDS + 5)
    except ToolError as error:
        answer = f"{pinned.partition('/')[0]}: {str(error).rsplit(': ', 1)[-1].strip(chr(34))}"
        note.write_text(json.dumps({"image": pinned, "asked": time.time(), "answer": answer}) + "\n", encoding="utf-8")
        return answer
    note.unlink(missing_ok=True)
    return ""


def _debian(buildah: Buildah, why: str, *, say: Callable[[str], None]) -> Base:
    """The base of Debian 12's packages, made first if the store has none.

    Its name ends in a hash of what it is made from, so that another list of packages is another base.
    """
    recipe = json.dumps([SUITE, _PACKAGES, LEFT_OUT, REMOVED, EPOCH, _LINK])
    name = f"localhost/cartwright-base:{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    identity = buildah.identity(name)
    if identity is None:
        say(f"images: making a base of Debian's packages ({why}) …")
        _make(buildah, name, why)
        identity = buildah.identity(name)
    if identity is None:
        raise ToolError(f"buildah: {name} was made but is not in the store")
    return Base(name, identity, f"Debian {SUITE}'s packages by mmdebstrap ({why})")


def _make(buildah: Buildah, name: str, why: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cartwright-base-") as folder:
        archive = Path(folder) / "base.tar"
        purpose = f"a base of Debian's packages ({why}; --base names another)"
        make_root(archive, _PACKAGES, why=purpose, hooks=[_LINK])
        container = buildah("from", "scratch")
        try:
            buildah("add", "--quiet", container, archive, "/")
            buildah("config", "--created-by", f"mmdebstrap {SUITE}", container)
            buildah("commit", "--quiet", "--timestamp", str(EPOCH), container, name)
        finally:
            buildah("rm", container)
