"""The declared dependency map, ``apps/dependencies.yaml``, as plain data. The format is described in that file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cartwright.kernel.errors import UserError, nearest
from cartwright.tree.closure import kustomization_file
from cartwright.tree.ranges import Range, ranges_of, read_address, read_range
from cartwright.tree.repository import Tree
from cartwright.yaml.read import line_of, nodes
from cartwright.yaml.validate import load_valid

__all__ = [
    "FILE",
    "NAMESPACE_LABEL",
    "SCHEMA",
    "App",
    "Call",
    "Caller",
    "DependencyMap",
    "External",
    "Neighbour",
    "load_dependencies",
    "parse_dependencies",
]

FILE = "apps/dependencies.yaml"
SCHEMA = "apps/dependencies.schema.json"
_COMPONENTS = "components"
"""The folder below ``apps/`` that is not a group: it holds Kustomize components."""
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server itself gives every namespace."""
Place = list[str | int]
"""Keys and indices that lead to a field of the file."""


@dataclass(frozen=True)
class Call:
    """One edge: an app that calls another, a neighbour or something external."""

    to: str
    """Key of the app (``group/name``), or name of the neighbour or external that is called."""
    port: int
    """TCP port of its pods, which is not always that of its Service; or of its addresses."""


@dataclass(frozen=True)
class Caller:
    """One edge: a neighbour that calls an app."""

    neighbour: str
    """Its name."""
    port: int
    """TCP port of the app's pods."""


@dataclass(frozen=True)
class App:
    """One app and what it may talk to."""

    key: str
    """``group/name``; the group is the namespace."""
    pods: tuple[str, ...]
    """Values of ``app.kubernetes.io/name`` on its pods."""
    outside: tuple[int, ...]
    """Ports open to callers from outside the cluster."""
    callers: tuple[Caller, ...]
    """The neighbours that call it, in the order of the file."""
    metrics: int | None
    """Port that the scraper reads."""
    api_server: bool
    """Whether it talks to the Kubernetes API."""
    calls: tuple[Call, ...]
    """What it calls, in the order of the file."""

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
    """Pods beside ours that belong to no app of this repository."""

    name: str
    """A name for people, unlike that of any app."""
    namespaces: Mapping[str, str]
    """Labels of the namespaces of its pods."""
    labels: Mapping[str, str]
    """Labels of its pods; empty for every pod of those namespaces."""
    metrics: int | None
    """Port of its pods that the scraper reads."""

    @property
    def namespace(self) -> str | None:
        """The one namespace of its pods; None where other labels choose namespaces."""
        return self.namespaces.get(NAMESPACE_LABEL) if len(self.namespaces) == 1 else None


@dataclass(frozen=True)
class External:
    """Something that is not in the cluster, known by its addresses."""

    name: str
    """A name for people, unlike that of any app or neighbour."""
    hosts: tuple[str, ...]
    """The names that resolve to its addresses, for people: a NetworkPolicy holds addresses only."""
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class DependencyMap:
    """All of the file."""

    dns_namespace: str
    dns_labels: Mapping[str, str]
    """Labels of the pods that resolve names."""
    dns_port: int
    dns_node_local: tuple[Range, ...]
    """Addresses of the cache that resolves names on each node; empty without one."""
    outside: tuple[Range, ...]
    """Addresses outside the cluster."""
    never: tuple[str, ...]
    """Ranges that nothing may reach."""
    api_server_ports: tuple[int, ...]
    scraper: str
    """Key of the app that reads metrics."""
    neighbours: Mapping[str, Neighbour]
    """By name, in the order of the file."""
    external: Mapping[str, External]
    """By name, in the order of the file."""
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
        UserError: it does not fit the schema, names what has no entry, gives one name to two things, or states a range
            that is none: file, line, and the nearest name.
    """
    return _Reader(text, file).read(load_valid(text, file, schema))


class _Reader:
    """Turns the content of the file into the map; what is wrong is told with its line."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def read(self, data: Mapping[str, Any]) -> DependencyMap:
        dns, outside = data["dns"], data["outside"]
        never = self._each(["outside", "except"], outside.get("except", ()), read_range)
        dependencies = DependencyMap(
            dns_namespace=dns["namespace"],
            dns_labels=dns["labels"],
            dns_port=dns["port"],
            dns_node_local=ranges_of(self._each(["dns", "nodeLocal"], dns.get("nodeLocal", ()), read_address), ()),
            outside=self._ranges(["outside"], outside["cidrs"], never),
            never=tuple(never),
            api_server_ports=tuple(data["apiServer"]["ports"]),
            scraper=data["scraper"],
            neighbours={name: self._neighbour(name, entry) for name, entry in data.get("neighbours", {}).items()},
            external={name: self._external(name, entry, never) for name, entry in data.get("external", {}).items()},
            apps={key: _app(key, entry) for key, entry in data["apps"].items()},
        )
        self._check_names(dependencies)
        for app in dependencies.apps.values():
            self._check_edges(dependencies, app)
        return dependencies

    def _neighbour(self, name: str, entry: Mapping[str, Any]) -> Neighbour:
        if len(entry.keys() & {"namespace", "namespaceLabels"}) != 1:
            message = f"neighbours.{name} needs either 'namespace' or 'namespaceLabels'"
            raise self._error(["neighbours", name], message, "state one of them")
        return Neighbour(
            name=name,
            namespaces={NAMESPACE_LABEL: entry["namespace"]} if "namespace" in entry else entry["namespaceLabels"],
            labels=entry.get("labels", {}),
            metrics=entry.get("metrics"),
        )

    def _external(self, name: str, entry: Mapping[str, Any], never: Sequence[str]) -> External:
        hosts = tuple(entry.get("hosts", ()))
        place: Place = ["external", name]
        if "cidrs" not in entry:
            raise self._error(
                place,
                f"external.{name} has no 'cidrs': a NetworkPolicy holds addresses, not host names",
                f"add 'cidrs' with the ranges that {hosts[0] if hosts else 'its host'} resolves to",
            )
        return External(name=name, hosts=hosts, ranges=self._ranges(place, entry["cidrs"], never))

    def _ranges(self, place: Place, cidrs: Sequence[str], never: Sequence[str]) -> tuple[Range, ...]:
        return ranges_of(self._each([*place, "cidrs"], cidrs, partial(read_range, never=never)), never)

    def _each(self, place: Place, values: Sequence[str], read: Callable[[str], str]) -> list[str]:
        found = []
        for index, value in enumerate(values):
            try:
                found.append(read(value))
            except UserError as error:
                raise self._error([*place, index], error.message, error.hint) from error
        return found

    def _check_names(self, dependencies: DependencyMap) -> None:
        """One name is one thing, since calls name apps, neighbours and external ones alike."""
        if dependencies.scraper not in dependencies.apps:
            hint = nearest(dependencies.scraper, dependencies.apps)
            raise self._error(["scraper"], f"no app '{dependencies.scraper}'", hint)
        for name in dependencies.neighbours:
            if name in dependencies.apps:
                raise self._error(["neighbours", name], f"'{name}' is an app too", "give the neighbour another name")
        for name in dependencies.external:
            if name in dependencies.apps or name in dependencies.neighbours:
                what = "an app" if name in dependencies.apps else "a neighbour"
                raise self._error(["external", name], f"'{name}' is {what} too", "give it another name here")

    def _check_edges(self, dependencies: DependencyMap, app: App) -> None:
        known = [*dependencies.apps, *dependencies.neighbours, *dependencies.external]
        for index, call in enumerate(app.calls):
            if call.to not in known:
                place: Place = ["apps", app.key, "calls", index, "to"]
                raise self._error(place, f"no app, neighbour or external '{call.to}'", nearest(call.to, known))
        for index, caller in enumerate(app.callers):
            place = ["apps", app.key, "callers", index, "from"]
            if caller.neighbour in dependencies.apps:
                hint = f"write the edge under apps.{caller.neighbour}.calls"
                raise self._error(place, f"'{caller.neighbour}' is an app", hint)
            if caller.neighbour not in dependencies.neighbours:
                hint = nearest(caller.neighbour, dependencies.neighbours)
                raise self._error(place, f"no neighbour '{caller.neighbour}'", hint)

    def _error(self, place: Place, message: str, hint: str | None) -> UserError:
        return _error(self._text, self._file, place, message, hint)


def _app(key: str, entry: Mapping[str, Any]) -> App:
    return App(
        key=key,
        pods=tuple(entry.get("pods", [key.partition("/")[2]])),
        outside=tuple(entry.get("outside", ())),
        callers=tuple(Caller(neighbour=one["from"], port=one["port"]) for one in entry.get("callers", ())),
        metrics=entry.get("metrics"),
        api_server=entry.get("apiServer", False),
        calls=tuple(Call(to=call["to"], port=call["port"]) for call in entry["calls"]),
    )


def _app_folders(tree: Tree) -> list[str]:
    """Every ``group/app`` below ``apps/`` that has a kustomization."""
    return [
        folder.removeprefix("apps/")
        for folder in tree.match_folders("apps/*/*")
        if not folder.startswith(f"apps/{_COMPONENTS}/") and kustomization_file(tree, folder)
    ]


def _error(text: str, file: str, place: Place, message: str, hint: str | None) -> UserError:
    return UserError(message, file=file, line=line_of(next(nodes(text, file)), place)[0], hint=hint)
