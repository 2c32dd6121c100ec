"""The repository at one commit, read from Git's objects on demand: nothing is laid out on disk.

A promotion reads a few dozen files of a repository that may hold tens of thousands, so it lists once and then reads
what it needs, many files with one program.
"""

from __future__ import annotations

import hashlib
import posixpath
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from cartwright.history.git import Blob, Head
from cartwright.history.log import read_blobs
from cartwright.history.release import Release, read_release
from cartwright.history.releasetree import FILE, FOLDER, ReleaseTree, pins_file
from cartwright.history.store import CLUSTER
from cartwright.history.trees import blob_id
from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.run import run_bytes
from cartwright.tree.applications import Application, find_applications
from cartwright.tree.closure import kustomization_file
from cartwright.tree.decisions import State, read_state
from cartwright.tree.environments import Environment, load_environments
from cartwright.tree.repository import decode

__all__ = ["CommitTree", "Snapshot", "commit_tree", "open_snapshot", "read_release_tree"]

_LISTED = ("argocd", "clusters", "environments")
"""Top folders that say which apps there are and what they run; others are listed when somebody walks them."""
_FILES = frozenset({"100644", "100755", "120000"})
"""Modes of what can be read as a file."""
T = TypeVar("T")
_FEW = 5
"""So many apps are looked up one by one before all of them are."""


@dataclass(frozen=True)
class CommitTree:
    """A :class:`cartwright.tree.repository.Tree` of a commit's files, each read from Git's objects on demand."""

    repository: Path
    """The repository that has the commit: a work tree, or a Git folder."""
    commit: str = ""
    """Full id."""
    _listed: set[str] = field(default_factory=set, repr=False, compare=False)
    """Top folders that were listed whole."""
    _modes: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False, compare=False)
    """Mode and object id of each entry that was listed."""
    _absent: set[str] = field(default_factory=set, repr=False, compare=False)
    """What was looked up and is not there."""
    _contents: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """What was read, by object id."""
    _facts: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    """What was worked out of the files, see :meth:`once`."""

    def once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """What ``make`` returns, worked out once for this commit: many apps ask the same of a file they share.

        Args:
            key: what is asked, and of what.
        """
        if key not in self._facts:
            self._facts[key] = make()
        found: T = self._facts[key]
        return found

    def entry(self, path: str) -> tuple[str, str] | None:
        """Mode and object id; None where there is nothing at that path."""
        if path not in self._modes and path not in self._absent and path.partition("/")[0] not in self._listed:
            self.look_up([path])
        return self._modes.get(path)

    def look_up(self, paths: Iterable[str]) -> None:
        """Find out at once whether paths outside of what was listed are there."""
        # Git refuses to look outside of the repository.
        inside = (path for path in paths if path != ".." and not path.startswith(("../", "/")))
        wanted = [path for path in inside if path not in self._modes]
        for start in range(0, len(wanted), 1000):
            part = wanted[start : start + 1000]
            self._modes.update(_list(self.repository, self.commit, part))
            self.__dict__.pop("_sorted", None)
            self._absent.update(path for path in part if path not in self._modes)

    def list_whole(self, path: str) -> None:
        """List every file of the top folder that a path lies in, unless it is known."""
        top = path.partition("/")[0]
        if top not in self._listed:
            found = _list(self.repository, self.commit, [top], recursive=True)
            self._modes.update(found)
            self._listed.add(top)
            if "_folders" in self.__dict__:
                _note_folders(found, self._folders)
            self.__dict__.pop("_sorted", None)

    def with_texts(self, texts: Mapping[str, str]) -> CommitTree:
        """The same tree with more files of text, by path."""
        made = {path: blob_id(text.encode(), like=self.commit) for path, text in texts.items()}
        contents = {oid: texts[path].encode() for path, oid in made.items()}
        return replace(
            self,
            _listed=set(self._listed),
            _modes={**self._modes, **{path: ("100644", oid) for path, oid in made.items()}},
            _absent=self._absent - made.keys(),
            _contents={**self._contents, **contents},
            _facts={},
        )

    def preload(self, paths: Iterable[str]) -> None:
        """Read files at once that will be asked for; anything but a file is skipped."""
        found = [entry[1] for path in paths if (entry := self.entry(path)) and entry[0].startswith("100")]
        missing = [oid for oid in dict.fromkeys(found) if oid not in self._contents]
        if missing:
            self._contents.update(read_blobs(self.repository, missing))

    def blob(self, path: str) -> Blob:
        """A plain file of text.

        Raises:
            UserError: it is not there, is a link or a folder, or is not UTF-8.
        """
        entry = self.entry(path)
        if entry is None or entry[0] == "040000":
            raise UserError(f"is not in commit {self.commit[:7]}", file=path, hint="commit it first")
        mode, oid = entry
        if not mode.startswith("100"):
            what = "a symbolic link" if mode == "120000" else "a commit of another repository"
            raise UserError(f"is {what}; promotion edits only plain files", file=path)
        return Blob(mode=mode, oid=oid, text=self.text(path))

    def read(self, path: str) -> bytes:
        """See :class:`Tree`. A symbolic link is followed within the commit."""
        entry = self.entry(path)
        if entry is None or not entry[0].startswith(("100", "120")):
            raise UserError(f"is not in commit {self.commit[:7]}", file=path)
        content = self.content(entry[1])
        if entry[0] == "120000":
            return self._follow(path, content)
        return content

    def content(self, oid: str) -> bytes:
        """Content of a file of any commit, by its object id."""
        if oid not in self._contents:
            self._contents.update(read_blobs(self.repository, [oid]))
        return self._contents[oid]

    def _follow(self, path: str, content: bytes) -> bytes:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), content.decode(errors="replace")))
        if (self.entry(target) or ("",))[0].startswith("100"):
            return self.read(target)
        raise UserError(f"is a symbolic link to '{target}', which is not a file of the repository", file=path)

    def text(self, path: str) -> str:
        """See :class:`Tree`."""
        return decode(self.read(path), path)

    def hash(self, path: str) -> str | None:
        """See :class:`Tree`."""
        return hashlib.blake2b(self.read(path), digest_size=20).hexdigest() if self.is_file(path) else None

    def is_file(self, path: str) -> bool:
        """See :class:`Tree`."""
        entry = self.entry(path)
        return entry is not None and entry[0].startswith(("100", "120"))

    def is_dir(self, path: str) -> bool:
        """See :class:`Tree`."""
        if path.partition("/")[0] in self._listed:
            return path in self._folders
        entry = self.entry(path)
        return entry is not None and entry[0] == "040000"

    def walk(self, top: str) -> Iterator[str]:
        """See :class:`Tree`."""
        self.list_whole(top)
        below = (
            path.split("/") for path, (mode, _) in self._modes.items() if path.startswith(f"{top}/") and mode in _FILES
        )
        # A folder's own files come before those of its folders.
        shown = [parts for parts in below if not any(part.startswith(".") for part in parts[top.count("/") + 1 :])]
        yield from ("/".join(parts) for parts in sorted(shown, key=lambda parts: (parts[:-1], parts[-1])))

    def below(self, folder: str) -> Iterator[tuple[str, tuple[str, str]]]:
        """Path, mode and object id of everything below a folder, hidden files and links too."""
        self.list_whole(folder)
        known, begin = self._sorted, f"{folder}/"
        for place in range(bisect_left(known, begin), len(known)):
            path = known[place]
            if not path.startswith(begin):
                return
            yield path, self._modes[path]

    def listed(self, top: str) -> Collection[str]:
        """Every path that is known below a top folder, listed whole."""
        self.list_whole(top)
        return [path for path, _ in self.below(top)]

    def folders(self, top: str) -> list[str]:
        """See :class:`Tree`."""
        self.list_whole(top)
        return sorted(self._folders.get(top, ()))

    def match_folders(self, pattern: str) -> list[str]:
        """See :class:`Tree`."""
        self.list_whole(pattern)
        found = [""]
        for part in pattern.split("/"):
            found = [
                f"{top}/{name}".lstrip("/")
                for top in found
                for name in ([part] if part in self._folders.get(top, ()) else self._folders.get(top, ()))
                if fnmatchcase(name, part)
            ]
        return sorted(found)

    @cached_property
    def _sorted(self) -> list[str]:
        """Every path that is known, in order."""
        return sorted(self._modes)

    @cached_property
    def _folders(self) -> dict[str, set[str]]:
        """Names of the folders in each folder; the top is the empty name."""
        found: dict[str, set[str]] = {"": set()}
        _note_folders((path for path in self._modes if path.partition("/")[0] in self._listed), found)
        return found


@dataclass(frozen=True)
class Snapshot:
    """What promotion knows of one commit."""

    root: Path
    """The repository: a work tree, or a Git folder."""
    head: Head
    """The commit, and the branch that it was read for."""
    tree: CommitTree
    """Its files."""
    environments: Mapping[str, Environment]
    """Every environment by name, lowest rank first."""

    _named: dict[str, Mapping[str, Mapping[str, Application]]] = field(default_factory=dict, repr=False, compare=False)
    """The Applications of some folders, by the folders' last name."""

    @cached_property
    def applications(self) -> Mapping[str, Mapping[str, Application]]:
        """The Applications of overlays: by environment, then by ``group/name``.

        Raises:
            UserError: ``argocd/`` can't be read.
        """
        return self._find(None)

    def find(self, environment: str, app: str) -> Application | None:
        """The Application of an app (``group/name``) in an environment; None where there is none.

        Raises:
            UserError: ``argocd/`` can't be read.
        """
        return self._like(app)[environment].get(app)

    def _like(self, word: str) -> Mapping[str, Mapping[str, Application]]:
        """The Applications of folders that end like a word: all of them where many words are asked for."""
        name = word.rpartition("/")[2]
        if "applications" in self.__dict__ or (name not in self._named and len(self._named) >= _FEW):
            return self.applications
        if name not in self._named:
            clusters = [one.cluster for one in self.environments.values()] if name == CLUSTER else []
            self._named[name] = self._find([name, *clusters])
        return self._named[name]

    def _find(self, folders: Collection[str] | None) -> dict[str, dict[str, Application]]:
        found: dict[str, dict[str, Application]] = {name: {} for name in self.environments}
        for one in find_applications(self.tree, self.environments, folders=folders):
            if one.path.startswith(("environments/", "clusters/")):
                found[one.environment][one.app] = one
        return found

    def pick_app(self, word: str, *, environments: Iterable[str]) -> str:
        """The app (``group/name``) that a word means: its whole name or the part after the group.

        Raises:
            UserError: no such app in any of the environments (the nearest is named), or several.
        """
        wanted = tuple(environments)
        known = {app for environment in wanted for app in self._like(word)[environment]}
        if word in known:
            return word
        named = sorted(app for app in known if app.rpartition("/")[2] == word)
        if len(named) == 1:
            return named[0]
        if named:
            raise UserError(f"'{word}' is {' and '.join(named)}", hint="name the group too")
        known = {app for environment in wanted for app in self.applications[environment]}
        names = known if "/" in word else {app.rpartition("/")[2] for app in known}
        raise UserError(f"no app '{word}'", hint=nearest(word, names))

    def application(self, environment: str, app: str) -> Application:
        """The Application of an app in an environment.

        Raises:
            UserError: the environment has no overlay of it.
        """
        found = self.find(environment, app)
        if found is None:
            raise UserError(
                f"has no overlay in {environment}", file=app, hint=f"write environments/{environment}/{app}"
            )
        return found

    def overlay(self, environment: str, app: str) -> Blob:
        """The kustomization of an app in an environment, and the path of it.

        Raises:
            UserError: there is none, or it is not a plain text file.
        """
        return self.tree.blob(self.overlay_file(environment, app))

    def overlay_file(self, environment: str, app: str) -> str:
        """Path of that kustomization.

        Raises:
            UserError: there is none.
        """
        folder = self.application(environment, app).path
        file = kustomization_file(self.tree, folder)
        if file is None:
            raise UserError("has no kustomization.yaml", file=folder)
        return file

    def release_folder(self, environment: str, app: str) -> str | None:
        """Folder of an app's release in an environment; None where the overlay has none and follows main."""
        folder = f"{self.application(environment, app).path}/{FOLDER}"
        return folder if self.tree.is_dir(folder) else None

    def pins_file(self, environment: str, app: str) -> str:
        """The kustomization that pins an app's images: its release's, else its overlay's own.

        Raises:
            UserError: there is none.
        """
        return pins_file(self.tree, self.application(environment, app).path) or self.overlay_file(environment, app)

    def release(self, environment: str, app: str) -> Release:
        """What an environment has of an app: its release, or the images that an overlay without one pins.

        Raises:
            UserError: the kustomization is not a plain text file, or can't be understood: file and line.
        """
        file = self.pins_file(environment, app)
        pins = read_release(self.tree.blob(file).text, file).pins
        return Release(file=file, pins=pins, tree=self.release_tree(environment, app))

    def release_tree(self, environment: str, app: str) -> ReleaseTree | None:
        """The files of an app's release; None where the overlay has none. What they pin is not read.

        Raises:
            UserError: its kustomization is not a plain text file.
        """
        folder = self.release_folder(environment, app)
        if folder is None:
            return None
        return self.tree.once(("release", folder), lambda: self._release_in(folder))

    def _release_in(self, folder: str) -> ReleaseTree:
        files = {path.removeprefix(f"{folder}/"): entry for path, entry in self.tree.below(folder)}
        return ReleaseTree(files=files, text=self.tree.blob(f"{folder}/{FILE}").text, like=self.head.commit)

    def with_texts(self, texts: Mapping[str, str]) -> Snapshot:
        """The repository with more files of text, by path; its environments stay as they are."""
        return replace(self, tree=self.tree.with_texts(texts), _named={})

    def state(self, environment: str) -> State:
        """Holds and freezes of an environment."""
        return read_state(self.tree, environment)


def _note_folders(paths: Iterable[str], found: dict[str, set[str]]) -> None:
    """Add the folders in which files stand to the names of the folders in each folder."""

    def note(folder: str) -> None:
        if folder not in found:
            found[folder] = set()
            parent, _, name = folder.rpartition("/")
            note(parent)
            found[parent].add(name)

    for folder in {path.rpartition("/")[0] for path in paths}:
        note(folder)


def read_release_tree(root: Path, tree: str) -> ReleaseTree:
    """The files of a release by its id, whatever commit it ran in.

    Raises:
        UserError: it has no kustomization.
        ToolError: git does not know the tree.
    """
    files = _list(root, tree, (), recursive=True)
    if FILE not in files:
        raise UserError(f"release {tree[:12]} has no {FILE}")
    text = decode(read_blobs(root, [files[FILE][1]])[files[FILE][1]], FILE)
    return ReleaseTree(files=files, text=text, like=tree)


def open_snapshot(root: Path, head: Head) -> Snapshot:
    """Read the repository at a commit.

    Raises:
        UserError: its environments can't be read: file and line.
    """
    tree = commit_tree(root, head)
    settings = [path for path in tree._modes if path.startswith("argocd/") or path.count("/") <= 2]
    tree.preload(path for path in settings if path.endswith((".yaml", ".yml", ".json")) and "/install/" not in path)
    return Snapshot(root=root, head=head, tree=tree, environments=load_environments(tree))


def commit_tree(root: Path, head: Head) -> CommitTree:
    """The files of a commit; those that say which apps there are and what they run are listed at once."""
    listed = _list(root, head.commit, _LISTED, recursive=True)
    return CommitTree(repository=root, commit=head.commit, _modes=listed, _listed=set(_LISTED))


def _list(root: Path, commit: str, paths: Iterable[str], *, recursive: bool = False) -> dict[str, tuple[str, str]]:
    out = run_bytes(
        ["git", "ls-tree", "-z", "--full-tree", *(["-r"] if recursive else []), commit, "--", *paths],
        cwd=root,
        env={"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
    )
    found = {}
    for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
        entry, _, path = line.partition("\t")
        mode, _, oid = entry.split(" ")
        found[path] = (mode, oid)
    return found
