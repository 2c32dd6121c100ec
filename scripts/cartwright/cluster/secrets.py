"""The Secrets that manifests refer to and Git does not hold.

In production the platform's secret store provides them. Here each value derives from one random seed and the Secret's
name and key, so that a service and its database, which keep the same Secret in two namespaces, agree.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.cluster.kubectl import Kubectl
from cartwright.cluster.state import Layout
from cartwright.kernel.atomic import write_bytes
from cartwright.tree.render import Rendered

__all__ = ["SecretReference", "Seeding", "derived", "missing_secrets", "secret_objects", "seed"]

_DEFAULT_KEY = "password"
"""What a Secret holds that is mounted or taken over as a whole, so that no manifest names a key."""


@dataclass(frozen=True, order=True)
class SecretReference:
    """A Secret that somebody needs."""

    namespace: str
    """Where it must be."""
    name: str
    """``metadata.name``."""
    key: str
    """One key of it."""


def seed(layout: Layout) -> bytes:
    """The random bytes that all values derive from; kept until ``down`` removes the data."""
    try:
        known = layout.seed_file.read_bytes()
    except FileNotFoundError:
        known = b""
    if len(known) == 32:
        return known
    fresh = secrets.token_bytes(32)
    write_bytes(layout.seed_file, fresh, mode=0o600)
    return fresh


def derived(secret_seed: bytes, name: str, key: str) -> str:
    """The value of a key: the same in every namespace that holds the Secret."""
    digest = hmac.new(secret_seed, f"{name}/{key}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def missing_secrets(rendered: Iterable[Rendered]) -> frozenset[SecretReference]:
    """Every key of a Secret that these objects refer to and do not define; optional references are left out."""
    needed: set[SecretReference] = set()
    defined: set[tuple[str, str]] = set()
    for one in rendered:
        for resource in one.resources:
            namespace = resource.identity.namespace or one.application.namespace
            if resource.identity.kind == "Secret" and not resource.identity.group:
                defined.add((namespace, resource.identity.name))
            needed.update(SecretReference(namespace, name, key) for name, key in _references(resource.content))
    return frozenset(one for one in needed if (one.namespace, one.name) not in defined)


def secret_objects(references: Iterable[SecretReference], secret_seed: bytes) -> dict[str, list[dict[str, Any]]]:
    """The Secrets to create, by namespace."""
    keys: dict[tuple[str, str], set[str]] = {}
    for one in references:
        keys.setdefault((one.namespace, one.name), set()).add(one.key)
    objects: dict[str, list[dict[str, Any]]] = {}
    for (namespace, name), wanted in sorted(keys.items()):
        objects.setdefault(namespace, []).append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": {"app.kubernetes.io/managed-by": "cartwright-up"},
                },
                "type": "Opaque",
                "stringData": {key: derived(secret_seed, name, key) for key in sorted(wanted)},
            }
        )
    return objects


class Seeding:
    """Creates Secrets as soon as their namespaces are there, as a secret store does."""

    def __init__(self, rendered: Iterable[Rendered], kubectls: Mapping[str, Kubectl], secret_seed: bytes) -> None:
        """Look for what is missing.

        Args:
            rendered: what Argo CD will apply.
            kubectls: how to reach each environment's cluster.
            secret_seed: what the values derive from.
        """
        builds = list(rendered)
        self._kubectls = kubectls
        self._pending = [
            (environment, namespace, objects)
            for environment in kubectls
            for namespace, objects in secret_objects(
                missing_secrets(one for one in builds if one.application.environment == environment), secret_seed
            ).items()
        ]

    def create(self) -> None:
        """Create those whose namespace has come."""
        present = {
            environment: {item["metadata"]["name"] for item in self._kubectls[environment].items("namespaces")}
            for environment in {environment for environment, _, _ in self._pending}
        }
        for entry in list(self._pending):
            environment, namespace, objects = entry
            if namespace in present[environment]:
                self._kubectls[environment].apply(objects)
                self._pending.remove(entry)


def _references(node: object) -> Iterator[tuple[str, str]]:
    """Name and key of every Secret that a pod template, at any depth, refers to."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, Mapping):
        for field, value in node.items():
            if isinstance(value, Mapping) and not value.get("optional"):
                yield from _reference(field, value)
            yield from _references(value)


def _reference(field: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name = value.get("secretName" if field == "secret" and "secretName" in value else "name")
    if not isinstance(name, str):
        return
    if field == "secretKeyRef":
        yield name, value.get("key", _DEFAULT_KEY)
    elif field == "secretRef":
        yield name, _DEFAULT_KEY
    elif field == "secret":  # a volume, or a projected volume's source
        items = value.get("items") or ()
        yield from ((name, item["key"]) for item in items)
        if not items:
            yield name, value.get("key", _DEFAULT_KEY)
