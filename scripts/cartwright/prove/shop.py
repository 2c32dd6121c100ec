"""The shop's own objects, as every environment and Argo CD's cluster get them: what the policy suite is proved on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cartwright.check.hub import NAME as HUB_NAME
from cartwright.check.hub import read_hub
from cartwright.kernel.errors import UserError
from cartwright.policy.adapter import ENVIRONMENT, Fleet, Realm
from cartwright.policy.documents import Document
from cartwright.policy.facts import read_facts
from cartwright.policy.model import load_rules
from cartwright.policy.parameters import parameters_of
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.render import RenderFailure, render
from cartwright.tree.repository import FolderTree

__all__ = ["Objects", "Shop", "read_shop"]

Objects = Mapping[str, Sequence[Mapping[str, Any]]]
"""Objects by ``group/name`` of their app; what a cluster needs stands under the cluster's name."""


@dataclass(frozen=True)
class Shop:
    """Everything that is rendered."""

    realms: Mapping[str, Realm]
    """By name of the environment, in the order in which a version passes them, and ``hub``; ``path`` is the app."""
    facts: Mapping[str, Any]
    """What Git says, see `cartwright.policy.facts`."""

    def objects(self, realm: str) -> dict[str, list[Mapping[str, Any]]]:
        """The objects of an environment, or of the hub, where all stand under ``hub``."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for document in self.realms[realm].documents:
            found.setdefault(document.path, []).append(document.object)
        return found

    def fleet(self, scope: str, realm: str, objects: Objects, *, label: str) -> Fleet:
        """What a rule of this scope must see to judge a realm with other objects than its own.

        Args:
            scope: the rule's.
            realm: an environment, or ``hub``.
            objects: what stands in the place of the realm's objects.
            label: the ``file`` of every finding.
        """
        if scope != "fleet":
            return Fleet([_with(self.realms[realm], objects, label=label)])
        others = {name: self.objects(name) for name in self.realms if name not in (realm, HUB_NAME)}
        altered = {**others, realm: objects}
        return Fleet(
            [_with(one, altered[name], label=label) for name, one in self.realms.items() if name != HUB_NAME],
            self.facts,
        )


def read_shop(tree: FolderTree) -> Shop:
    """Render everything.

    Raises:
        UserError: something can't be rendered.
    """
    environments = load_environments(tree)
    applications = find_applications(tree, environments)
    rendered, failures = render(tree, applications, use_cache=True)
    hub = read_hub(tree, applications)
    _refuse([*failures, *hub.failures])
    realms = {
        name: Realm(
            documents=[
                Document(path=one.application.app, index=resource.index, object=resource.content)
                for one in rendered
                if one.application.environment == name
                for resource in one.resources
            ],
            name=name,
            upstreams=environment.upstreams,
            parameters=parameters_of(tree, environment),
            scopes=ENVIRONMENT,
        )
        for name, environment in environments.items()
    }
    rules = load_rules(tree.root / "policies")
    return Shop({**realms, HUB_NAME: hub.realm(environments, rules)}, read_facts(tree))


def _refuse(failures: Sequence[RenderFailure]) -> None:
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)


def _with(realm: Realm, objects: Objects, *, label: str) -> Realm:
    return replace(realm, documents=list(_documents(objects, label)))


def _documents(objects: Objects, label: str) -> Iterator[Document]:
    """Definitions of kinds stay out: they are large, and no rule looks into them."""
    listed = (one for items in objects.values() for one in items)
    for index, content in enumerate(one for one in listed if one.get("kind") != "CustomResourceDefinition"):
        yield Document(path=label, index=index, object=content)
