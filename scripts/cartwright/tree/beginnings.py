"""What the overlay of an app begins with in an environment: ``overlays`` of its environment.yaml, and the text of it.

``cartwright new service`` writes the overlays of environments that follow main, the first promotion all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from cartwright.tree.environments import Environment
from cartwright.yaml.dump import dump_all

__all__ = ["Beginning", "beginning_of", "components_of", "render_overlay"]

_WIDTH = 120


@dataclass(frozen=True)
class Beginning:
    """What a new overlay has besides its resources."""

    entry: int | None = None
    """Place among ``overlays``, from 0; None where no entry is meant for the app."""
    components: tuple[str, ...] = ()
    """Folders, from the top of the repository."""
    patches: tuple[Mapping[str, Any], ...] = ()
    """As a kustomization lists them."""


def beginning_of(environment: Environment, app: str) -> Beginning:
    """What an app (``group/name``) begins with: the first entry of ``overlays`` whose pattern fits, else nothing."""
    for number, one in enumerate(environment.content.get("overlays", ())):
        if fnmatchcase(app, one["apps"]):
            return Beginning(number, tuple(one.get("components", ())), tuple(one.get("patches", ())))
    return Beginning()


def components_of(environment: Environment) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every component that ``overlays`` names, with its place in environment.yaml."""
    for number, one in enumerate(environment.content.get("overlays", ())):
        for index, component in enumerate(one.get("components", ())):
            yield ("overlays", number, "components", index), component


def render_overlay(
    beginning: Beginning,
    *,
    namespace: str | None,
    resources: Sequence[str],
    top: str,
    images: Sequence[Mapping[str, str]] = (),
) -> str:
    """The kustomization of a new overlay.

    Args:
        beginning: its components and patches.
        namespace: of its objects; None where they name theirs.
        resources: what it refers to, from its own folder.
        top: what the paths of components begin with, seen from its own folder, with a slash at its end.
        images: its pins, where it has no release.
    """
    parts: list[dict[str, Any]] = [
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"},
        {"namespace": namespace},
        {"resources": resources},
        {"components": [f"{top}{one}" for one in beginning.components]},
        {"patches": beginning.patches},
        {"images": images},
    ]
    return "\n".join(dump_all([part], width=_WIDTH) for part in parts if all(part.values()))
