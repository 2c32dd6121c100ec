"""Giving the repository the names of its new owner, wherever they stand.

Argo CD, Kustomize and CI read files as they are, so a name has to stand in many of them. No list says in which: every
file that Git does not ignore is searched for the names of today. Texts change byte by byte, since names also stand in
comments and in the scripts of workflows; of YAML it is then proved that nothing but names has changed.

Names stand in releases too, which only promotions may change. So the change is a commit of its own, and
environments/record.yaml accepts that commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cartwright.history.baseline import FILE as RECORD
from cartwright.history.git import git, has_commit, identity
from cartwright.images.inputs import files
from cartwright.kernel.errors import UserError
from cartwright.kernel.generated import write_all
from cartwright.tree.names import FILE, Names, read_names
from cartwright.tree.repository import open_tree
from cartwright.yaml.edit import Edit, edit
from cartwright.yaml.lists import append_entry, remove_entries
from cartwright.yaml.read import load_all

__all__ = ["commit_renames", "find_renames"]

_KINDS = ("organisation", "repository", "registry")


def find_renames(root: Path, wanted: Names) -> dict[str, str]:
    """What each file that changes will hold, by path.

    Args:
        root: the repository's work tree.
        wanted: the names that it shall have.

    Raises:
        UserError: one of the wanted names stands in a file for something else, so that no later renaming could tell
            them apart; names.yaml can't be read; or a YAML file would change in more than names. File and line.
        ToolError: the folder is no Git repository.
    """
    current = read_names(open_tree(root))
    rename = _renamer(current, wanted)
    changed: dict[str, str] = {}
    for path in files(root, ["."]):
        before = _text(root / path)
        if before is None:
            continue
        _refuse_taken(before, path, current, wanted)
        after = _named(before, current, wanted) if path == FILE else rename(before)
        if after != before:
            if path.endswith((".yaml", ".yml")) and path != FILE:
                _prove(before, after, path, rename)
            changed[path] = after
    return changed


def commit_renames(root: Path, renamed: Mapping[str, str], wanted: Names) -> tuple[str, ...]:
    """Write the files, commit them, and accept that commit in environments/record.yaml with a second one.

    Before a repository's first commit the files are written, and no more: what a history begins with is trusted.

    Args:
        root: the repository's work tree.
        renamed: what :func:`find_renames` says.
        wanted: the names that it shall have.

    Returns:
        The commits' subjects, oldest first.

    Raises:
        UserError: one of the files has changes that are not committed, Git does not know who commits, or a file can't
            be written. Nothing has changed then.
        ToolError: Git can't commit: a hook refuses it, for example. The files hold the new names then.
    """
    if not renamed or not has_commit(root, "HEAD"):
        write_all(root, renamed, tuple(renamed))
        return ()
    status = git(root, "status", "--porcelain", "--no-renames", "-z", "--", *renamed).stdout
    for line in status.split("\0"):
        if line:
            raise UserError("has changes that are not committed", file=line[3:], hint="commit them or put them aside")
    who = identity(root).partition(" <")[0]
    write_all(root, renamed, tuple(renamed))
    subjects = [f"Names of {wanted.organisation}"]
    git(root, "commit", "--quiet", f"--message={subjects[0]}", "--", *renamed)
    if (root / RECORD).is_file():
        entry = {
            "commit": git(root, "rev-parse", "HEAD").stdout.strip(),
            "by": who,
            "reason": "The repository got other names (cartwright init), in the releases too.",
        }
        text = append_entry((root / RECORD).read_text(encoding="utf-8"), "accepted", entry, file=RECORD)
        write_all(root, {RECORD: text}, (RECORD,))
        subjects.append("The commit that changed the names is accepted")
        git(root, "commit", "--quiet", f"--message={subjects[1]}", "--", RECORD)
    return tuple(subjects)


def _text(file: Path) -> str | None:
    """The text of a file with its own line ends; None for a link, or for what is no text."""
    if file.is_symlink():
        return None
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _pattern(names: Names) -> re.Pattern[str]:
    """Where names stand as a whole, not as part of a longer one."""
    end = r"(?![\w-])(?!\.(?!git(?![\w.-]))\w)"
    return re.compile(
        rf"(?<!\w)(?P<repository>{re.escape(names.repository)}){end}"
        rf"|(?:(?<![\w./:@-])|(?<=docker://))(?P<registry>{re.escape(names.registry)}){end}"
        rf"|(?<![\w.])@(?P<organisation>{re.escape(names.organisation)})(?=/)"
    )


def _renamer(current: Names, wanted: Names) -> Callable[[str], str]:
    """A function that puts the wanted names in place of the current ones, all in one pass."""
    pattern = _pattern(current)

    def put(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        return found[0].replace(found[kind], str(getattr(wanted, kind)))

    return lambda text: pattern.sub(put, text)


def _refuse_taken(text: str, path: str, current: Names, wanted: Names) -> None:
    # A letter, because what stands beside a name must not look like the edge of another.
    rest = _pattern(current).sub(lambda found: "x" * len(found[0]), text)
    for found in _pattern(wanted).finditer(rest):
        kind = str(found.lastgroup)
        if path == FILE or getattr(current, kind) == getattr(wanted, kind):
            continue
        raise UserError(
            f"'{found[kind]}' stands here for something else",
            file=path,
            line=text.count("\n", 0, found.start()) + 1,
            hint="choose another name: a later `init` could not tell them apart",
        )


def _named(text: str, current: Names, wanted: Names) -> str:
    """names.yaml with the wanted names; a registry that images no longer begin with joins the former ones."""
    named = edit(text, [Edit((kind,), getattr(wanted, kind)) for kind in _KINDS], file=FILE)
    if wanted.registry in current.former:
        named = remove_entries(named, "formerly", [current.former.index(wanted.registry)], file=FILE)
    if wanted.registry != current.registry:
        named = append_entry(named, "formerly", {"registry": current.registry}, file=FILE)
    return named


def _prove(before: str, after: str, path: str, rename: Callable[[str], str]) -> None:
    """That the values of a YAML text are those of before with other names."""
    if load_all(after, path) != [_map(one, rename) for one in load_all(before, path)]:
        raise UserError("would change in more than names", file=path, hint="choose names without special characters")


def _map(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, Mapping):
        return {_map(key, rename): _map(one, rename) for key, one in value.items()}
    return [_map(one, rename) for one in value] if isinstance(value, list) else value
