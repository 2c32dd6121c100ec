"""What Argo CD's own cluster holds, as far as Git says so: its objects, and the Applications that it generates."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cartwright.kernel import memo
from cartwright.kernel.errors import UserError
from cartwright.policy.adapter import HUB, Realm
from cartwright.policy.documents import Document
from cartwright.policy.model import Rule
from cartwright.tree.applications import ROOT, Application
from cartwright.tree.closure import KUSTOMIZATION_NAMES, find_closure
from cartwright.tree.environments import Environment
from cartwright.tree.render import Rendered, RenderFailure, render
from cartwright.tree.repository import FolderTree
from cartwright.tree.sources import SourceMap
from cartwright.yaml.read import load_all

__all__ = ["NAME", "Hub", "HubObject", "read_hub"]

NAME = "hub"
"""The realm's name, and what an Application of this folder is deployed to."""
_FOLDER = "argocd"


@dataclass(frozen=True)
class HubObject:
    """One object, and where its lines stand."""

    content: Mapping[str, Any]
    application: Application | None = None
    """The Application that it is, where an ApplicationSet generates it."""
    rendered: Rendered | None = None
    """The build that it comes from; None where it stands in a file as it is."""

    def locate(self, sources: SourceMap, field: Sequence[str | int]) -> tuple[str, int]:
        """File and one-based line of the source behind a field."""
        if self.rendered is not None:
            return sources.locate(self.rendered.closure, self.content, field)
        if self.application is not None:
            one = self.application
            return one.source, sources.line_in(
                one.source, "ApplicationSet", one.generator, ("spec", "template", *field)
            )
        metadata = self.content.get("metadata") or {}
        return ROOT, sources.line_in(ROOT, str(self.content["kind"]), str(metadata.get("name", "")), field)


@dataclass(frozen=True)
class Hub:
    """All of it."""

    objects: tuple[HubObject, ...]
    key: str
    """Hash of all that it was made from."""
    failures: tuple[RenderFailure, ...]

    def realm(self, environments: Mapping[str, Environment], rules: Sequence[Rule]) -> Realm:
        """The objects as rules are asked about them; a finding's ``document`` is the place in `objects`."""
        return Realm(
            [Document(path=NAME, index=index, object=one.content) for index, one in enumerate(self.objects)],
            name=NAME,
            parameters=_parameters(environments, {rule.id for rule in rules}),
            scopes=HUB,
        )


def read_hub(tree: FolderTree, applications: Sequence[Application], *, use_cache: bool = True) -> Hub:
    """Render what stands below ``argocd/``, and add the root's file and the generated Applications.

    Args:
        tree: the files.
        applications: every Application of the tree, see `cartwright.tree.applications.find_applications`.
        use_cache: take unchanged builds from the cache.
    """
    builds = [
        Application(
            environment=NAME,
            name=folder,
            path=folder,
            project="",
            cluster=NAME,
            namespace="",
            source=ROOT,
            generator="",
        )
        for folder in _folders(tree)
    ]
    rendered, failures = render(tree, builds, use_cache=use_cache)
    roots = [one for one in load_all(tree.text(ROOT), ROOT) if one]
    objects = [HubObject(content=one) for one in roots]
    objects += [HubObject(content=resource.content, rendered=one) for one in rendered for resource in one.resources]
    objects += [HubObject(content=one.manifest, application=one) for one in applications]
    generated = json.dumps([one.manifest for one in applications], sort_keys=True)
    key = memo.digest([str(tree.hash(ROOT)), *(f"{one.application.path} {one.key}" for one in rendered), generated])
    return Hub(objects=tuple(objects), key=key, failures=failures)


def _folders(tree: FolderTree) -> Iterator[str]:
    """The kustomizations below ``argocd/`` that no other one there takes in."""
    found = {posixpath.dirname(path) for path in tree.walk(_FOLDER) if posixpath.basename(path) in KUSTOMIZATION_NAMES}
    taken: set[str] = set()
    for folder in sorted(found):
        if folder not in taken:
            yield folder
            try:
                taken.update(one.folder for one in find_closure(tree, folder).kustomizations)
            except UserError:
                continue  # rendering says what is wrong with it


def _parameters(environments: Mapping[str, Environment], known: set[str]) -> dict[str, dict[str, Any]]:
    """What the rules are told that follows from the environments: which clusters serve the customers."""
    upstream = {name for environment in environments.values() for name in environment.upstreams}
    last = sorted(environment.cluster for environment in environments.values() if environment.name not in upstream)
    rule = "applicationset-preserves-resources"
    return {rule: {"clusters": last}} if rule in known else {}
