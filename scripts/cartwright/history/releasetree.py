"""A release as files: what stands in ``release/`` of an overlay, named by the id that Git gives to that tree.

``release/`` holds the shared files of an app (base, components, what they refer to) byte for byte under their own
paths, and a kustomization that names the bases and pins the images. Two environments with the same tree id run the same
release, whatever the commits that brought it there say.

A release has two parts that can move apart: its *images*, and its *configuration*, which is everything else. The
configuration has an id of its own: that of the same tree without the images.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from cartwright.history.pinned import Pinned
from cartwright.history.trees import blob_id, tree_id
from cartwright.kernel.errors import UserError
from cartwright.tree.closure import kustomization_file
from cartwright.tree.repository import Tree
from cartwright.yaml.scalars import scalar

__all__ = [
    "FILE",
    "FOLDER",
    "MOVED",
    "STAND_IN",
    "Entry",
    "ReleaseTree",
    "config_id",
    "pins_file",
    "render_kustomization",
    "require_plain",
]

FOLDER = "release"
"""Folder of an overlay that holds its release."""
FILE = "kustomization.yaml"
"""The kustomization of a release, below that folder."""
Entry = tuple[str, str]
"""Mode and object id of a file."""
MOVED = re.compile(r"(?m)^([ -]*(?:newTag|digest): *)([0-9A-Za-z][0-9A-Za-z_.]*(?::[0-9a-f]+)?)(?= *(?:#.*)?$)")
"""What most commits change of a kustomization: a tag or a digest that stands on its line without quotes."""
STAND_IN = "cartwright0stand0in0"
"""Stands for it, where many texts that differ in it are read once."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOTE = "# Written by `cartwright promote`. Do not edit: what stands below release/ comes here by a promotion alone."


@dataclass(frozen=True)
class ReleaseTree:
    """The files of a release."""

    files: Mapping[str, Entry]
    """By path below ``release/``."""
    text: str
    """Content of its kustomization."""
    like: str
    """Any object id of the repository: it tells which hash the repository uses."""

    @cached_property
    def id(self) -> str:
        """Git's id of the tree: the release's identity."""
        return tree_id(self.files, like=self.like)

    @cached_property
    def config(self) -> str:
        """Identity of all but the images."""
        return config_id(self.files, self.text, like=self.like)

    @cached_property
    def shared(self) -> Mapping[str, Entry]:
        """The files that it has from the repository, by their path there."""
        return {path: entry for path, entry in self.files.items() if path != FILE}

    def with_text(self, text: str) -> ReleaseTree:
        """The same files with another kustomization."""
        entry = ("100644", blob_id(text.encode(), like=self.like))
        return ReleaseTree(files={**self.files, FILE: entry}, text=text, like=self.like)


def pins_file(tree: Tree, folder: str) -> str | None:
    """The kustomization that pins the images of an overlay: its release's, else its own; None where it has neither.

    Args:
        tree: the repository.
        folder: of the overlay.
    """
    release = f"{folder}/{FOLDER}"
    return f"{release}/{FILE}" if tree.is_dir(release) else kustomization_file(tree, folder)


def config_id(entries: Mapping[str, Entry], text: str, *, like: str) -> str:
    """Identity of a release's configuration.

    Args:
        entries: the entries of ``release/``; folders may stand for their files.
        text: content of its kustomization.
        like: any object id of the repository.
    """
    plain = blob_id(_without_images(text).encode(), like=like)
    return tree_id({**entries, FILE: ("100644", plain)}, like=like)


def _without_images(text: str) -> str:
    """What a release's kustomization says besides images, in one form; as it stands where it can't be read.

    Most kustomizations differ in tags and digests alone: the text around them is read once.
    """
    said = _without(masked(text))
    return _without(text) if STAND_IN in said else said


def masked(text: str) -> str:
    """A kustomization without the tags and digests that most commits change, for a reader of the text around them."""
    return MOVED.sub(rf"\g<1>{STAND_IN}", text)


@functools.lru_cache(maxsize=10_000)
def _without(text: str) -> str:
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, in C where there is one)
    except yaml.YAMLError:
        return text
    if not isinstance(data, dict):
        return text
    return json.dumps({key: value for key, value in data.items() if key != "images"}, sort_keys=True, default=str)


def render_kustomization(resources: Sequence[str], pins: Iterable[Pinned]) -> str:
    """The kustomization of a release.

    Args:
        resources: the bases, by their path in the repository.
        pins: its images.
    """
    lines = [_NOTE, "apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "", "resources:"]
    lines += [f"  - {scalar(one)}" for one in resources]
    listed = list(pins)
    if listed:
        lines += ["", "images:"]
    for pin in listed:
        fields = [("name", pin.image), ("newName", pin.source), ("newTag", pin.tag), ("digest", pin.digest)]
        given = [f"{key}: {scalar(value)}" for key, value in fields if value]
        lines += [f"{'  - ' if number == 0 else '    '}{one}" for number, one in enumerate(given)]
    return "\n".join(lines) + "\n"


def require_plain(files: Mapping[str, Entry], *, file: str) -> None:
    """Prove that a release may hold these files.

    Args:
        files: by path.
        file: the overlay that refers to them, for the error.

    Raises:
        UserError: one is a symbolic link or a commit of another repository.
    """
    for path, (mode, _) in sorted(files.items()):
        if not mode.startswith("100"):
            what = "a symbolic link" if mode == "120000" else "a commit of another repository"
            raise UserError(
                f"refers to {path}, which is {what}; a release holds plain files alone", file=file, hint="copy the file"
            )
