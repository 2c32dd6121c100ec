"""What `check` says of the releases of later environments: they stand alone, and no hand has edited them.

An environment with upstreams runs what stands in its own folder: a path that leads out of it would change what runs as
soon as main changes. Below ``release/`` a promotion writes, and nobody else: content that no upstream ran is named with
its file and line before it is merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cartwright.history.log import read_blobs
from cartwright.history.provenance import strangers
from cartwright.history.record import read_record
from cartwright.history.releasetree import FOLDER, Entry
from cartwright.history.snapshot import read_release_tree
from cartwright.history.trees import blob_id, tree_id
from cartwright.kernel.findings import Finding
from cartwright.tree.applications import Application
from cartwright.tree.closure import is_remote, join, references
from cartwright.tree.environments import Environment
from cartwright.tree.render import Rendered
from cartwright.tree.repository import FolderTree
from cartwright.yaml.read import line_of, nodes

__all__ = ["edited_releases", "leading_out"]


def leading_out(
    rendered: Sequence[Rendered], environments: Mapping[str, Environment], tree: FolderTree
) -> Iterator[tuple[Finding, Application]]:
    """The references of later environments' overlays that lead out of their folder. Rule ``release-leads-out``."""
    for one in rendered:
        folder = one.application.path
        if not environments[one.application.environment].upstreams:
            continue
        link = _link_above(tree, folder)
        if link is not None:
            message = f"is a symbolic link, so what it leads to decides what {one.application.environment} runs"
            yield Finding(link, 1, "release-leads-out", "error", f"{message}; make it a folder"), one.application
        for kustomization in one.closure.kustomizations:
            if not kustomization.path.startswith(f"{folder}/"):
                continue
            for place, name, _ in references(kustomization.content):
                target = join(kustomization.path, name)
                if is_remote(name) or target.startswith(f"{folder}/"):
                    continue
                root = next(nodes(tree.text(kustomization.path), kustomization.path))
                yield (
                    Finding(
                        file=kustomization.path,
                        line=line_of(root, place)[0],
                        rule="release-leads-out",
                        severity="error",
                        message=f"'{name}' leads out of {folder}, so this would change with main and pass no gate; "
                        f"refer to {FOLDER}/, which `cartwright promote` brings",
                    ),
                    one.application,
                )


def _link_above(tree: FolderTree, folder: str) -> str | None:
    """The overlay's folder, or one above it, that is a symbolic link."""
    parts = folder.split("/")
    names = ("/".join(parts[:number]) for number in range(1, len(parts) + 1))
    return next((name for name in names if (tree.root / name).is_symlink()), None)


def edited_releases(
    tree: FolderTree, applications: Sequence[Application], environments: Mapping[str, Environment]
) -> Iterator[tuple[Finding, Application]]:
    """The releases that no promotion brought, in the work tree or in commits. Rule ``release-edited``.

    Without Git, or with a history that is cut off, nothing is said.

    Raises:
        ToolError: git can't read the history.
        UserError: environments/record.yaml does not fit its schema: file and line.
    """
    commit = tree.commit
    if commit is None:
        return
    clusters = {one.cluster: one.name for one in environments.values()}
    record = read_record(tree.home, commit, clusters=clusters)
    if record.cut:
        return
    found = strangers(tree.home, record, tree, environments)
    strange = {(event.environment, event.app): (event, why) for event, why in found}
    running = record.running_all()
    for one in applications:
        if not environments[one.environment].upstreams:
            continue
        source = environments[one.environment].upstreams[0]
        key = (one.environment, one.app)
        known = running[key].tree if key in running else None
        files = _files(tree, f"{one.path}/{FOLDER}", like=commit)
        if known is None or not files:
            continue
        if tree_id(files, like=commit) != known:
            file, line = _place(tree, one, known, files)
            yield _edited(file, line, "has changes that are not committed", one, source), one
        elif key in strange:
            event, why = strange[key]
            file, line = _place(tree, one, event.before_tree, files)
            yield _edited(file, line, f"commit {event.note.commit[:7]} changed it by hand: {why}", one, source), one


def _edited(file: str, line: int, what: str, application: Application, source: str) -> Finding:
    return Finding(
        file=file,
        line=line,
        rule="release-edited",
        severity="error",
        message=f"{what}; only a promotion may change {application.path}/{FOLDER}: undo it, and use "
        f"`cartwright promote {application.app} --from {source} --to {application.environment}`",
    )


def _files(tree: FolderTree, folder: str, *, like: str) -> dict[str, Entry]:
    """Mode and object id of every file below a folder of the work tree, as Git would store it."""
    found = {}
    top = tree.root / folder
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            found[name] = ("120000", blob_id(str(path.readlink()).encode(), like=like))
        elif path.is_file():
            mode = "100755" if path.stat().st_mode & 0o100 else "100644"
            found[name] = (mode, blob_id(path.read_bytes(), like=like))
    return found


def _place(tree: FolderTree, one: Application, known: str | None, files: Mapping[str, Entry]) -> tuple[str, int]:
    """File and line of the first difference from a release that was."""
    folder = f"{one.path}/{FOLDER}"
    before = read_release_tree(tree.home, known).files if known else {}
    for path in sorted({*before, *files}):
        if before.get(path) == files.get(path):
            continue
        if path not in files or path not in before:
            return f"{folder}/{path}", 1
        old = read_blobs(tree.home, [before[path][1]])[before[path][1]].splitlines()
        new = (tree.root / folder / path).read_bytes().splitlines()
        differing = (number for number, pair in enumerate(zip(old, new, strict=False), start=1) if pair[0] != pair[1])
        return f"{folder}/{path}", next(differing, min(len(old), len(new)) + 1 if len(old) != len(new) else 1)
    return folder, 1
