"""Gatekeeper's webhooks: which objects the API server asks about before it admits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cartwright.policy.kinds import is_cluster_wide, resources_by_group
from cartwright.policy.model import Kind

__all__ = ["NAMESPACES", "OURS", "WEBHOOKS", "WEBHOOK_GROUP", "WEBHOOK_KIND", "WEBHOOK_NAME", "WEBHOOK_PATH", "webhook"]

WEBHOOK_GROUP = "admissionregistration.k8s.io"
WEBHOOK_KIND = "ValidatingWebhookConfiguration"
WEBHOOK_NAME = "gatekeeper"
"""Name of the ValidatingWebhookConfiguration."""
WEBHOOKS = ("validation.gatekeeper.sh", "cluster.validation.gatekeeper.sh")
"""Its webhooks: for objects of our namespaces, and for cluster-wide ones."""
WEBHOOK_PATH = "/v1/admit"
"""Where Gatekeeper answers."""
NAMESPACES = ("webhooks", 0, "namespaceSelector", "matchExpressions", 0, "values")
"""Where the names of our namespaces stand. They are each environment's own."""
OURS: Mapping[str, str] = {"app.kubernetes.io/part-of": "cartwright"}
"""The label that every object of this repository carries: cluster-wide objects without it are the cluster's own."""

_NAMESPACE = "platform"
_SERVICE = "gatekeeper-webhook"
_NAMESPACE_KIND = Kind("", "Namespace")
_NOT_ASKED = (
    "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')",
    "request.userInfo.username == 'system:kube-controller-manager'",
    "request.userInfo.username == 'system:serviceaccount:platform:prometheus-operator'",
)
"""Who makes objects from others that were judged before: controllers. Asking again would tell nothing new, would hold
up the shop while Gatekeeper restarts, and would keep Gatekeeper's own pods from coming back."""


def webhook(kinds: Sequence[Kind]) -> dict[str, Any]:
    """The ValidatingWebhookConfiguration for objects of these kinds.

    It names no namespace: an environment that does not say which are its own must get an error from the API server (a
    selector without values is invalid), not a webhook that fails closed for the whole cluster, or for nothing.
    """
    named: dict[str, Any] = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": []}
    condition = {
        "name": "not-made-from-what-was-judged",
        "expression": f"!({' || '.join(_NOT_ASKED)})",
    }
    common = {
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": _NAMESPACE, "name": _SERVICE, "path": WEBHOOK_PATH, "port": 443}},
        # What is written at an older version of the API is asked about all the same.
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "matchConditions": [condition],
    }
    return {
        "apiVersion": f"{WEBHOOK_GROUP}/v1",
        "kind": WEBHOOK_KIND,
        "metadata": {"name": WEBHOOK_NAME},
        "webhooks": [
            {
                "name": WEBHOOKS[0],
                **common,
                # Nothing comes into these namespaces unjudged.
                "failurePolicy": "Fail",
                "namespaceSelector": {"matchExpressions": [named]},
                "rules": [
                    *_rules([kind for kind in kinds if not is_cluster_wide(kind)], "Namespaced"),
                    # Only where a container is put into a pod that runs.
                    _rule("", ["pods/ephemeralcontainers"], "Namespaced", operations=["UPDATE"]),
                    *_rules([kind for kind in kinds if kind == _NAMESPACE_KIND], "Cluster"),
                ],
            },
            {
                "name": WEBHOOKS[1],
                **common,
                # The API server brings its own roles up to date before anything else can run: that must not wait.
                "failurePolicy": "Ignore",
                "objectSelector": {"matchLabels": dict(OURS)},
                "rules": _rules(
                    [kind for kind in kinds if is_cluster_wide(kind) and kind != _NAMESPACE_KIND], "Cluster"
                ),
            },
        ],
    }


def _rules(kinds: Sequence[Kind], scope: str) -> list[dict[str, Any]]:
    return [_rule(group, resources, scope) for group, resources in resources_by_group(kinds).items()]


def _rule(
    group: str, resources: Sequence[str], scope: str, operations: Sequence[str] = ("CREATE", "UPDATE")
) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": list(operations),
        "resources": list(resources),
        "scope": scope,
    }
