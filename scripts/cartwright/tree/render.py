"""Rendering applications with kustomize: one process per overlay, in a pool, cached by what the build reads.

The cache key is a hash over the overlay's whole file closure, kustomize's own version, and the pinned remote bases.
An unchanged closure needs no build, and overlays that say the same in several environments are built once. Where a
build may read more than its closure, it is made each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from cartwright.kernel import atomic
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.identity import identity_of
from cartwright.kernel.paths import cache_root
from cartwright.kernel.run import SHORT_LIVED, run
from cartwright.tools import load_catalogue, require
from cartwright.tree.applications import Application
from cartwright.tree.closure import Closure, find_closure
from cartwright.tree.repository import FolderTree
from cartwright.tree.resources import Resource
from cartwright.yaml.read import load_all, refuse_excess

__all__ = ["RenderFailure", "Rendered", "render"]

_FORMAT = 2
"""Counts changes of what a cache entry holds."""
_KUSTOMIZE_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Rendered:
    """What an application is, as it will be applied. Two are equal where they are the same: `key` compares content."""

    application: Application
    closure: Closure
    key: str
    """Hash of all that the build read: equal keys, equal output, whatever the overlay's folder. Where that is not
    known, no two builds have one key: nothing that is kept by key is taken for a verdict on another build."""
    file: Path
    """The output, as one object of kind List in JSON."""

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """Its objects, in kustomize's order."""
        contents = json.loads(self.file.read_bytes())["items"]
        return tuple(Resource(identity_of(content), index, content) for index, content in enumerate(contents))


@dataclass(frozen=True)
class RenderFailure:
    """An application that can't be rendered."""

    application: Application
    message: str
    file: str
    """The source that is to blame, as far as kustomize tells."""
    line: int


def render(
    tree: FolderTree, applications: Sequence[Application], *, use_cache: bool = True
) -> tuple[tuple[Rendered, ...], tuple[RenderFailure, ...]]:
    """Render every application; one that fails does not keep the others from being rendered.

    Args:
        tree: the files.
        applications: what to render.
        use_cache: take unchanged builds from the cache.

    Returns:
        What could be rendered and what could not, each in the order given.
    """
    builds = _Builds(use_cache)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        outcomes = list(pool.map(lambda one: _render_one(tree, one, builds), applications))
    return (
        tuple(one for one in outcomes if isinstance(one, Rendered)),
        tuple(one for one in outcomes if isinstance(one, RenderFailure)),
    )


class _Builds:
    """Sees to it that each key is built once, however many overlays share it."""

    def __init__(self, use_cache: bool) -> None:
        self._use_cache = use_cache
        self._guard = Lock()
        self._locks: dict[str, Lock] = {}
        self._done: set[str] = set()

    def once(self, key: str, file: Path, build: Callable[[], None]) -> None:
        """Call ``build`` unless its file is there, in the cache or by another overlay of this run."""
        with self._guard:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if file.is_file() and (self._use_cache or key in self._done):
                return
            build()
            self._done.add(key)


def _render_one(tree: FolderTree, application: Application, builds: _Builds) -> Rendered | RenderFailure:
    try:
        closure = find_closure(tree, application.path)
        key = _key(tree, application, closure)
        home = cache_root() / "rendered" / key[:2] / f"{key}.json"
        builds.once(key, home, lambda: _build(tree, application, closure, home))
    except UserError as error:
        return RenderFailure(application, error.message, error.file or application.path, error.line or 1)
    return Rendered(application=application, closure=closure, key=key, file=home)


def _key(tree: FolderTree, application: Application, closure: Closure) -> str:
    total = hashlib.blake2b(digest_size=20)
    total.update(f"{_FORMAT} {load_catalogue()['kustomize'].key}\n".encode())
    for path in closure.files:
        # As the build sees it: from the overlay's own folder.
        total.update(f"{posixpath.relpath(path, application.path)} {tree.hash(path)}\n".encode())
    for remote in closure.remotes:
        total.update(f"{remote}\n".encode())
    if not closure.complete:
        total.update(secrets.token_bytes(20))
    if closure.remotes:
        total.update("".join(tool.asset_key for tool in load_catalogue().values()).encode())
    return total.hexdigest()


def _build(tree: FolderTree, application: Application, closure: Closure, home: Path) -> None:
    for path in (*(one.path for one in closure.kustomizations), *closure.resources):
        refuse_excess(tree.text(path), path)  # kustomize would write aliases out until its time or the memory is up
    env = dict(SHORT_LIVED)
    if closure.remotes:
        from cartwright.tree import mirrors

        env |= mirrors.environment()
    try:
        done = run(
            [require(["kustomize"])["kustomize"], "build", application.path],
            cwd=tree.root,
            env=env,
            timeout=_KUSTOMIZE_SECONDS,
        )
    except ToolError as error:
        raise _blame(str(error), closure, tree) from error
    documents = [document for document in load_all(done.stdout, application.path) if document is not None]
    home.parent.mkdir(parents=True, exist_ok=True)
    listed = {"apiVersion": "v1", "kind": "List", "items": documents}
    atomic.write_text(home, json.dumps(listed, separators=(",", ":"), default=str), mode=0o600)


_PLACES = (
    re.compile(r"(?P<file>[\w./-]+\.ya?ml)['\"]?: .*?line (?P<line>\d+)"),
    re.compile(r"(?P<file>[\w./-]+\.ya?ml)"),
)


def _blame(message: str, closure: Closure, tree: FolderTree) -> UserError:
    """The source file and line behind kustomize's words; it names files by their absolute path or by base name."""
    text = message.replace(f"{tree.root}/", "").removeprefix("kustomize ended with code 1: ").removeprefix("Error: ")
    line = next((int(match["line"]) for match in [_PLACES[0].search(text)] if match), None)
    for match in _PLACES[1].finditer(text):
        named = match[0]
        for path in closure.files:
            if path == named or path.endswith(f"/{named}"):
                return UserError(_last_part(text), file=path, line=line or 1)
    return UserError(_last_part(text), file=closure.kustomizations[0].path, line=1)


def _last_part(text: str) -> str:
    """One line of kustomize's nested message: the whole would name each folder on the way again."""
    return " ".join(text.split())[:400]
