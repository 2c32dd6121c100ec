"""An app whose image is built elsewhere, in whatever language: its base, its overlay in dev, its network rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from cartwright.kernel.errors import UserError
from cartwright.registry.reference import LATEST, Reference
from cartwright.scaffold.files import Scaffold
from cartwright.scaffold.filling import fill
from cartwright.scaffold.lists import WAIVERS, first_overlays, network_policies, require_free, with_waivers
from cartwright.tree.dependencies import FILE as DEPENDENCIES
from cartwright.tree.environments import Environment, load_environments
from cartwright.tree.repository import FolderTree
from cartwright.yaml.lines import insert_after
from cartwright.yaml.read import load

__all__ = ["App", "make_app", "unlisted"]

_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


@dataclass(frozen=True)
class App:
    """The app to be created."""

    name: str
    """A DNS label of at most 30 characters."""
    group: str
    """Folder below ``apps/``, and namespace."""
    image: Reference
    """Its image, with a tag; the digest where it is known."""
    port: int
    """TCP port that its container listens on."""
    path: str | None
    """HTTP path that answers its probes; without, a connection is enough."""


def make_app(tree: FolderTree, app: App, *, today: date) -> Scaffold:
    """Everything that the app adds and changes; nothing is written here.

    Raises:
        UserError: the name, the group or the path can't be used; the image has no tag; or a file that is derived from
            or added to is not as expected.
    """
    require_free(tree, app.name)
    if not tree.folders(f"apps/{app.group}") or app.group == "components":
        raise UserError(f"no group '{app.group}'", hint="groups are the folders of apps/, each a namespace")
    if not app.image.tag or app.image.tag == LATEST:
        raise UserError(f"{app.image.name} needs a tag that says a version", hint="give --image NAME:TAG@DIGEST")
    if app.path is not None and not _PATH.fullmatch(app.path):
        raise UserError(f"'{app.path}' is no path that a probe can ask for", hint="such as /healthz")
    base = f"apps/{app.group}/{app.name}"
    words = {"name": app.name, "group": app.group, "image": app.image.name, "port": app.port, "path": app.path}
    created: dict[str, str | bytes] = {
        f"{base}/{name}": fill(f"app/{name}.j2", words)
        for name in ("deployment.yaml", "kustomization.yaml", "service.yaml", "serviceaccount.yaml")
    }
    pin = {"name": app.image.name, "newTag": app.image.tag, "digest": app.image.digest or ""}
    overlays = first_overlays(tree, f"{app.group}/{app.name}", {key: value for key, value in pin.items() if value})
    folders = {name: f"environments/{name}/{app.group}/{app.name}" for name in overlays}
    created |= {f"{folders[name]}/kustomization.yaml": text for name, text in overlays.items()}
    edited = {DEPENDENCIES: _dependencies(tree, app)}
    own, others = network_policies(tree, edited[DEPENDENCIES], base)
    created |= own
    edited |= others
    for one in unlisted(tree, app.image):
        if not one.upstreams:
            path: list[str | int] = ["policies", "image-registry", "registries", -1]
            line = f"      - {app.image.name}\n"
            edited[one.file] = insert_after(tree.text(one.file), path, line, file=one.file)
    if not app.image.digest:
        edited[WAIVERS] = with_waivers(
            tree,
            [("apps/v1", "Deployment", app.name)],
            namespace=app.group,
            environments=[*overlays],
            why=f"The digest of {app.image.name} is not known yet; with it in the overlay this waiver goes.",
            today=today,
        )
    return Scaffold(folders=(base, *folders.values()), created=created, edited=edited)


def unlisted(tree: FolderTree, image: Reference) -> Iterator[Environment]:
    """The environments that list registries, and not this image's."""
    place = f"{image.host}/{image.repository}"
    for one in load_environments(tree).values():
        listed = one.parameters.get("image-registry", {}).get("registries", ())
        # As the rule image-registry compares them.
        if listed and not any(f"{place}/".startswith(f"{entry.removesuffix('/')}/") for entry in listed):
            yield one


def _dependencies(tree: FolderTree, app: App) -> str:
    """The map with an entry that calls nobody and is called by nobody."""
    text = tree.text(DEPENDENCIES)
    apps: Mapping[str, object] = load(text, DEPENDENCIES)["apps"]
    last = next((key for key in reversed(list(apps)) if key.startswith(f"{app.group}/")), None) or [*apps][-1]
    entry = f"\n  {app.group}/{app.name}:\n    calls: []\n"
    return insert_after(text, ["apps", last], entry, file=DEPENDENCIES)
