"""What every new app needs beside its base: a free name, overlays, network rules, a waiver until it has a digest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.network import generate, parse_dependencies
from cartwright.tree.beginnings import beginning_of, render_overlay
from cartwright.tree.dependencies import FILE, SCHEMA
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import FolderTree
from cartwright.yaml.lines import insert_after
from cartwright.yaml.read import load
from cartwright.yaml.scalars import needs_quotes

__all__ = ["WAIVERS", "first_overlays", "network_policies", "require_free", "with_waivers"]

WAIVERS = "policies/waivers.yaml"
_WAIVER_DAYS = 30
_TOP = "../../../../"
"""The top of the repository, seen from an overlay."""
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")


def require_free(tree: FolderTree, name: str, folders: Iterable[str] = ()) -> None:
    """Prove that an app may have this name, and that none has it.

    Args:
        tree: the repository.
        name: a DNS label of at most 30 characters.
        folders: what it would make besides its base and its overlays.

    Raises:
        UserError: it is malformed, a word of YAML, or taken.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"'{name}' is not a valid service name", hint="up to 30 of a-z, 0-9 and '-', a letter first and no '-' last"
        )
    if needs_quotes(name):
        raise UserError(f"'{name}' is a word of YAML", hint="choose another name")
    places = [*tree.root.glob(f"apps/*/{name}"), *tree.root.glob(f"environments/*/*/{name}")]
    for path in [*folders, *(f"{place.relative_to(tree.root)}" for place in places)]:
        if (tree.root / path).exists():
            raise UserError("is there already", file=path, hint="choose another name")


def first_overlays(tree: FolderTree, app: str, image: Mapping[str, str]) -> dict[str, str]:
    """The overlays of the environments that take releases from builds: the kustomization's text, by environment.

    Args:
        tree: the repository.
        app: ``group/name``.
        image: its entry in the kustomization's ``images``.
    """
    return {
        one.name: render_overlay(
            beginning_of(one, app),
            namespace=app.partition("/")[0],
            resources=[f"{_TOP}apps/{app}"],
            top=_TOP,
            images=[image],
        )
        for one in load_environments(tree).values()
        if not one.upstreams
    }


def network_policies(tree: FolderTree, dependencies: str, base: str) -> tuple[dict[str, str], dict[str, str]]:
    """The network policies that a new dependency map asks for: those of the new base, and others that change.

    Raises:
        UserError: the map is wrong: file and line.
    """
    schema: dict[str, Any] = json.loads(tree.text(SCHEMA))
    made = generate(parse_dependencies(dependencies, FILE, schema))
    own = {path: text for path, text in made.items() if path.startswith(f"{base}/")}
    others = {
        path: text
        for path, text in made.items()
        if path not in own and not (tree.is_file(path) and tree.text(path) == text)
    }
    return own, others


def with_waivers(
    tree: FolderTree,
    objects: Sequence[tuple[str, str, str]],
    *,
    namespace: str,
    environments: Sequence[str],
    why: str,
    today: date,
) -> str:
    """policies/waivers.yaml with entries for objects whose images have no digest yet, for 30 days.

    Args:
        tree: the repository.
        objects: API version, kind and name of each.
        namespace: of all of them.
        environments: where it is waived.
        why: the reason, in lines of six spaces but the first.
        today: when the days begin.

    Raises:
        UserError: the file is not in the form that an entry can be added to.
    """
    text = tree.text(WAIVERS)
    entries = "".join(
        f"  - rule: pinned-image\n"
        f"    object: {{apiVersion: {version}, kind: {kind}, namespace: {namespace}, name: {name}}}\n"
        f"    environments: [{', '.join(environments)}]\n"
        f"    owner: platform-team\n"
        f"    reason: >-\n"
        f"      {why}\n"
        f'    expires: "{today + timedelta(days=_WAIVER_DAYS)}"\n'
        for version, kind, name in objects
    )
    before = load(text, WAIVERS)["waivers"]
    if before:
        after = insert_after(text, ["waivers", -1], entries, file=WAIVERS)
    else:
        after = re.sub(r"(?m)^waivers:.*$\n?", lambda _: "waivers:\n" + entries, text, count=1)
    if load(after, WAIVERS)["waivers"][: len(before)] != before:
        raise UserError("is not in the form that an entry can be added to", file=WAIVERS)
    return after
