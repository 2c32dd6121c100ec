"""A new environment: another region, or another step of the order.

What belongs to an environment (sizes, gates, quotas, who may do what) is written like another environment's. What it
runs of each app is what its upstream runs, byte for byte: so an environment begins, and later releases are promoted.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.history.carry import carried_release
from cartwright.history.git import read_head
from cartwright.history.releasetree import FILE as KUSTOMIZATION
from cartwright.history.releasetree import FOLDER
from cartwright.history.snapshot import Snapshot, open_snapshot
from cartwright.kernel.errors import UserError
from cartwright.scaffold.files import Scaffold
from cartwright.tree.environments import Environment, pick_environment
from cartwright.yaml.edit import Edit, edit
from cartwright.yaml.read import load

__all__ = ["NewEnvironment", "make_environment"]

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_LISTS = "argocd/kustomization.yaml"
_RBAC = "argocd/install/argocd-rbac-cm.yaml"
_OWNERS = ".github/CODEOWNERS"
_DECISIONS = "promotion.yaml"
"""Holds and freezes of an environment: decided for that one alone."""


@dataclass(frozen=True)
class NewEnvironment:
    """What is asked for."""

    name: str
    """A DNS label."""
    like: str
    """The environment whose sizes, gates, quotas and rights it gets."""
    after: tuple[str, ...]
    """Its upstreams; none for an environment that follows main."""
    cluster: str
    """Name of its cluster, as Argo CD will know it."""


def make_environment(root: Path, wanted: NewEnvironment) -> Scaffold:
    """All files of a new environment, and those that list environments.

    Args:
        root: the repository. Its newest commit is read, of the lists the work tree.
        wanted: what is asked for.

    Raises:
        UserError: a name is malformed or taken; an environment to be like or after does not exist; one that follows
            main is to be like one with upstreams, or the other way round; or a file that environments are listed in
            is not written as expected: file and line where there is one.
    """
    snapshot = open_snapshot(root, read_head(root))
    like = _require(snapshot, wanted)
    rename = _renamer(like, wanted)
    created: dict[str, str | bytes] = {}
    executable: set[str] = set()
    upstream = wanted.after[0] if wanted.after else None
    for app, application in sorted(snapshot.applications[like.name].items()):
        if any(snapshot.find(one, app) is None for one in wanted.after):
            continue
        folder = _moved(application.path, like, wanted)
        for path in snapshot.tree.walk(application.path):
            inside = posixpath.relpath(path, application.path)
            if not inside.startswith(f"{FOLDER}/"):
                created[f"{folder}/{inside}"] = _renamed(snapshot.tree.read(path), rename)
        if upstream is not None:
            for name, content, mode in _release(snapshot, upstream, app):
                created[f"{folder}/{FOLDER}/{name}"] = content
                if mode == "100755":
                    executable.add(f"{folder}/{FOLDER}/{name}")
    for path in snapshot.tree.walk(f"environments/{like.name}"):
        if path.count("/") == 2 and posixpath.basename(path) not in {"environment.yaml", _DECISIONS}:
            created[_moved(path, like, wanted)] = _renamed(snapshot.tree.read(path), rename)
    created[f"environments/{wanted.name}/environment.yaml"] = _environment_file(snapshot, like, wanted, rename)
    registration = f"clusters/{wanted.cluster}/registration.yaml"
    if registration in created:
        created[registration] = _registration(str(created[registration]), registration, wanted)
    generated = _argocd_files(snapshot, like, wanted, rename)
    return Scaffold(
        folders=(f"environments/{wanted.name}", f"clusters/{wanted.cluster}", *generated),
        created={**created, **generated},
        edited=dict(_listed(root, like, rename)),
        executable=frozenset(executable),
    )


def _require(snapshot: Snapshot, wanted: NewEnvironment) -> Environment:
    for what, name in (("an environment", wanted.name), ("a cluster", wanted.cluster)):
        if not _NAME.fullmatch(name):
            raise UserError(f"'{name}' is no name for {what}", hint="lower case, digits and -, such as prod-us")
    known = snapshot.environments
    if wanted.name in known:
        raise UserError(f"environment '{wanted.name}' exists already", file=known[wanted.name].file)
    for one in known.values():
        if one.cluster == wanted.cluster:
            raise UserError(f"cluster '{wanted.cluster}' is {one.name}'s", file=one.file, hint="give --cluster another")
    like = pick_environment(known, wanted.like)
    for name in wanted.after:
        pick_environment(known, name)
    if like.upstreams and not wanted.after:
        raise UserError(f"{like.name} takes releases from {' and '.join(like.upstreams)}", hint="say --after")
    if wanted.after and not like.upstreams:
        hint = "give --like one that has upstreams"
        raise UserError(f"{like.name} follows main, so no overlay there is like one of {wanted.name}", hint=hint)
    return like


def _renamer(like: Environment, wanted: NewEnvironment) -> Callable[[str], str]:
    """Puts the new names where the old ones stand as words; what begins with one (`prod-cluster`) is renamed too."""
    pairs = {like.cluster: wanted.cluster, like.name: wanted.name}
    pattern = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, sorted(pairs, key=len, reverse=True)))})(?!\w)")
    return lambda text: pattern.sub(lambda found: pairs[found[1]], text)


def _renamed(content: bytes, rename: Callable[[str], str]) -> str | bytes:
    try:
        return rename(content.decode())
    except UnicodeDecodeError:
        return content


def _moved(path: str, like: Environment, wanted: NewEnvironment) -> str:
    for old, new in (
        (f"environments/{like.name}", f"environments/{wanted.name}"),
        (f"clusters/{like.cluster}", f"clusters/{wanted.cluster}"),
    ):
        if path == old or path.startswith(f"{old}/"):
            return new + path.removeprefix(old)
    raise UserError(f"stands neither in environments/{like.name} nor in clusters/{like.cluster}", file=path)


def _release(snapshot: Snapshot, upstream: str, app: str) -> Iterator[tuple[str, bytes, str]]:
    """Path below ``release/``, content and mode of each file that the upstream runs of an app."""
    tree = carried_release(snapshot, upstream, app).tree
    if tree is not None:
        for path, (mode, oid) in tree.files.items():
            yield path, tree.text.encode() if path == KUSTOMIZATION else snapshot.tree.content(oid), mode


def _environment_file(
    snapshot: Snapshot, like: Environment, wanted: NewEnvironment, rename: Callable[[str], str]
) -> str:
    rank = 1 + max((snapshot.environments[name].rank for name in wanted.after), default=like.rank - 1)
    text = snapshot.tree.text(like.file)
    values = {"rank": str(rank)} | ({"upstreams": f"[{', '.join(wanted.after)}]"} if wanted.after else {})
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key}: .*$", f"{key}: {value}", text)
        if count != 1:
            raise UserError(f"'{key}' can't be changed", file=like.file, hint=f"write {key} on one line of its own")
    # Upstreams keep their names; all other words are renamed.
    lines = (line if line.startswith("upstreams:") else rename(line) for line in text.splitlines(keepends=True))
    text = edit("".join(lines), [Edit(("cluster",), wanted.cluster)], file=like.file)
    said = load(text, like.file)
    if [said["name"], said["rank"], tuple(said.get("upstreams", ()))] != [wanted.name, rank, wanted.after]:
        raise UserError("can't be written anew for another environment", file=like.file)
    return text


def _registration(text: str, file: str, wanted: NewEnvironment) -> str:
    name = f"cluster-{wanted.cluster}"
    return edit(text, [Edit(("metadata", "name"), name), Edit(("stringData", "name"), wanted.cluster)], file=file)


def _argocd_files(
    snapshot: Snapshot, like: Environment, wanted: NewEnvironment, rename: Callable[[str], str]
) -> dict[str, str]:
    """The ApplicationSet and the project."""
    made = {}
    for kind, edits in (("applicationsets", _generator_edits), ("projects", _project_edits)):
        file = f"argocd/{kind}/{like.name}.yaml"
        if not snapshot.tree.is_file(file):
            raise UserError("is missing, so there is nothing to write another one like", file=file)
        text = rename(snapshot.tree.text(file))
        made[f"argocd/{kind}/{wanted.name}.yaml"] = edit(text, edits(load(text, file), wanted), file=file)
    return made


def _generator_edits(content: Any, wanted: NewEnvironment) -> Sequence[Edit]:
    edits = [Edit(("spec", "template", "spec", "destination", "name"), wanted.cluster)]
    for place, generator in enumerate(content["spec"]["generators"]):
        for number, one in enumerate(generator.get("git", {}).get("directories", ())):
            if one["path"].startswith("clusters/"):
                path = ("spec", "generators", place, "git", "directories", number, "path")
                edits.append(Edit(path, f"clusters/{wanted.cluster}"))
    return edits


def _project_edits(content: Any, wanted: NewEnvironment) -> Sequence[Edit]:
    return [
        Edit(("spec", "destinations", place, "name"), wanted.cluster)
        for place, _ in enumerate(content["spec"]["destinations"])
    ]


def _listed(root: Path, like: Environment, rename: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """The files that name every environment, with lines for the new one behind those of the other."""
    name = re.escape(like.name)
    for file, line, least in (
        (_LISTS, rf" *- (?:projects|applicationsets)/{name}\.yaml *", 2),
        (_RBAC, rf" *p, .* {name}(?:/\*)?,.*", 0),
        (_OWNERS, rf"/(?:environments/{name}|clusters/{re.escape(like.cluster)})/.*", 0),
    ):
        if not (root / file).is_file():
            continue
        text = (root / file).read_text(encoding="utf-8")
        made, count = re.subn(rf"(?m)^{line}$", lambda found: f"{found[0]}\n{rename(found[0])}", text)
        if count < least:
            raise UserError(f"does not list the project and the ApplicationSet of {like.name}", file=file)
        if count:
            yield file, made
