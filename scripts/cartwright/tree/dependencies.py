"""The declared dependency map, ``apps/dependencies.yaml``, as plain data. The format is described in that file."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError, nearest
from cartwright.tree.closure import kustomization_file
from cartwright.tree.repository import Tree
from cartwright.yaml.read import line_of, nodes
from cartwright.yaml.validate import load_valid

__all__ = ["FILE", "SCHEMA", "App", "Call", "DependencyMap", "Neighbour", "load_dependencies", "parse_dependencies"]

FILE = "apps/dependencies.yaml"
SCHEMA = "apps/dependencies.schema.json"
_COMPONENTS = "components"
"""The folder below ``apps/`` that is not a group: it holds Kustomize components."""


@dataclass(frozen=True)
class Call:
    """One edge: an app that calls another."""

    to: str
    """Key of the app that is called, ``group/name``."""
    port: int
    """TCP port of its pods, which is not always that of its Service."""


@dataclass(frozen=True)
class App:
    """One app and what it may talk to."""

    key: str
    """``group/name``; the group is the namespace."""
    pods: tuple[str, ...]
    """Values of ``app.kubernetes.io/name`` on its pods."""
    outside: tuple[int, ...]
    """Ports open to callers from outside the cluster."""
    metrics: int | None
    """Port that the scraper reads."""
    api_server: bool
    """Whether it talks to the Kubernetes API."""
    calls: tuple[Call, ...]
    """The apps that it calls, in the order of the file."""

    @property
    def namespace(self) -> str:
        """The namespace of its pods."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """Its name within the group."""
        return self.key.partition("/")[2]

    @property
    def file(self) -> str:
        """Path of its generated policy."""
        return f"apps/{self.key}/networkpolicy.yaml"


@dataclass(frozen=True)
class Neighbour:
    """Pods beside ours that the scraper reads and that belong to no app of this repository."""

    name: str
    """A name for people."""
    namespace: str
    labels: Mapping[str, str]
    """Labels of its pods."""
    metrics: int
    """Port of its pods that the scraper reads."""


@dataclass(frozen=True)
class DependencyMap:
    """All of the file."""

    dns_namespace: str
    dns_labels: Mapping[str, str]
    """Labels of the pods that resolve names."""
    dns_port: int
    outside_cidr: str
    """Addresses outside the cluster."""
    outside_except: tuple[str, ...]
    """Those among them that nothing may reach."""
    api_server_ports: tuple[int, ...]
    scraper: str
    """Key of the app that reads metrics."""
    neighbours: tuple[Neighbour, ...]
    """What it reads beside the apps, in the order of the file."""
    apps: Mapping[str, App]
    """Every app by key, in the order of the file."""


def load_dependencies(tree: Tree) -> DependencyMap:
    """The map, proved to name exactly the apps that have a folder.

    Raises:
        UserError: as :func:`parse_dependencies`; an entry without folder, or an app's folder without entry.
    """
    text = tree.text(FILE)
    dependencies = parse_dependencies(text, FILE, json.loads(tree.text(SCHEMA)))
    folders = set(_app_folders(tree))
    for key in dependencies.apps:
        if key not in folders:
            raise _error(text, FILE, ["apps", key], f"apps/{key} is not the folder of an app", nearest(key, folders))
    for key in sorted(folders - set(dependencies.apps)):
        raise UserError(f"apps/{key} has no entry", file=FILE, hint=f"add 'apps: {key}:' with what it calls")
    return dependencies


def parse_dependencies(text: str, file: str, schema: dict[str, Any]) -> DependencyMap:
    """The map that a YAML text states.

    Raises:
        UserError: it does not fit the schema, names an app that has no entry, or an address that is none: file, line,
            and the nearest name.
    """
    data = load_valid(text, file, schema)
    apps = {key: _app(key, entry) for key, entry in data["apps"].items()}
    if data["scraper"] not in apps:
        raise _error(text, file, ["scraper"], f"no app '{data['scraper']}'", nearest(data["scraper"], apps))
    for key, app in apps.items():
        for index, call in enumerate(app.calls):
            if call.to not in apps:
                place: list[str | int] = ["apps", key, "calls", index, "to"]
                raise _error(text, file, place, f"no app '{call.to}'", nearest(call.to, apps))
    outside = data["outside"]
    for place, cidr in _addresses(outside):
        try:
            ipaddress.ip_network(cidr)
        except ValueError as error:
            raise _error(text, file, ["outside", *place], str(error), None) from error
    return DependencyMap(
        dns_namespace=data["dns"]["namespace"],
        dns_labels=data["dns"]["labels"],
        dns_port=data["dns"]["port"],
        outside_cidr=outside["cidr"],
        outside_except=tuple(outside.get("except", ())),
        api_server_ports=tuple(data["apiServer"]["ports"]),
        scraper=data["scraper"],
        neighbours=tuple(Neighbour(name=name, **entry) for name, entry in data.get("neighbours", {}).items()),
        apps=apps,
    )


def _app(key: str, entry: Mapping[str, Any]) -> App:
    return App(
        key=key,
        pods=tuple(entry.get("pods", [key.partition("/")[2]])),
        outside=tuple(entry.get("outside", ())),
        metrics=entry.get("metrics"),
        api_server=entry.get("apiServer", False),
        calls=tuple(Call(to=call["to"], port=call["port"]) for call in entry["calls"]),
    )


def _addresses(outside: Mapping[str, Any]) -> list[tuple[list[str | int], str]]:
    addresses: list[tuple[list[str | int], str]] = [(["cidr"], outside["cidr"])]
    addresses += [(["except", index], cidr) for index, cidr in enumerate(outside.get("except", ()))]
    return addresses


def _app_folders(tree: Tree) -> list[str]:
    """Every ``group/app`` below ``apps/`` that has a kustomization."""
    return [
        folder.removeprefix("apps/")
        for folder in tree.match_folders("apps/*/*")
        if not folder.startswith(f"apps/{_COMPONENTS}/") and kustomization_file(tree, folder)
    ]


def _error(text: str, file: str, place: list[str | int], message: str, hint: str | None) -> UserError:
    return UserError(message, file=file, line=line_of(next(nodes(text, file)), place)[0], hint=hint)
