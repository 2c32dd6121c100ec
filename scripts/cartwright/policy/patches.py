"""What is one environment's own in Gatekeeper's objects: a component in the environment's folder that patches them.

The objects themselves, with the rules' code and defaults, are shared, and a later environment gets them by promotion.
What stands here takes effect on merge: parameters, waivers, and the environment's namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cartwright.policy.gatekeeper import CONSTRAINT, OWN, TEMPLATE
from cartwright.policy.model import Rule
from cartwright.policy.waivers import Waiver
from cartwright.policy.webhook import NAMESPACES, WEBHOOK_GROUP, WEBHOOK_KIND, WEBHOOK_NAME
from cartwright.yaml.dump import dump_all

__all__ = ["APP", "component", "component_folder", "is_component", "overlay"]

APP = "platform/gatekeeper"
"""Gatekeeper's app."""
_WIDTH = 120


def overlay(environment: str) -> str:
    """The folder of Gatekeeper's overlay in an environment."""
    return f"environments/{environment}/{APP}"


def component_folder(environment: str) -> str:
    """The folder of the component, which the overlay lists."""
    return f"{overlay(environment)}/parameters"


def is_component(folder: str) -> bool:
    """Whether this is the component's folder in some environment."""
    return folder.startswith("environments/") and folder == component_folder(folder.split("/")[1])


def component(
    environment: str,
    rules: Iterable[Rule],
    *,
    parameters: Mapping[str, Mapping[str, Any]],
    waivers: Iterable[Waiver],
    namespaces: Sequence[str],
) -> dict[str, Any]:
    """The kustomization of the component.

    A JSON patch's ``add`` puts a value in the place of the whole old one, as a parameter takes the place of its
    default. A merge patch would mix two mappings.

    Args:
        environment: its name.
        rules: those that have constraints.
        parameters: what the environment sets, by rule id and name.
        waivers: of all environments.
        namespaces: whose objects are judged.
    """
    constraints = {"group": CONSTRAINT.partition("/")[0], "kind": TEMPLATE}
    webhook = {"group": WEBHOOK_GROUP, "kind": WEBHOOK_KIND, "name": WEBHOOK_NAME}
    here = [one for one in waivers if environment in one.environments]
    patches = [
        _patch(webhook, [_add(NAMESPACES, list(namespaces))]),
        _patch(constraints, [_add(("spec", "match", "namespaces"), list(namespaces))]),
    ]
    for rule in rules:
        changes = [_add(("spec", "parameters", name), value) for name, value in parameters.get(rule.id, {}).items()]
        if waived := [_waiver(one) for one in here if one.rule == rule.id]:
            changes.append(_add(("spec", "parameters", OWN, "waivers"), waived))
        if changes:
            patches.append(_patch({**constraints, "name": rule.id}, changes))
    return {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": patches}


def _patch(target: Mapping[str, str], changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"target": dict(target), "patch": dump_all([changes], width=_WIDTH)}


def _add(path: Sequence[str | int], value: Any) -> dict[str, Any]:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return {"op": "add", "path": "".join(f"/{step}" for step in steps), "value": value}


def _waiver(one: Waiver) -> dict[str, str]:
    return {
        "apiVersion": one.resource.api_version,
        "kind": one.resource.kind,
        "namespace": one.resource.namespace,
        "name": one.resource.name,
        "message": one.message,
    }
