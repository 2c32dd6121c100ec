"""Generating NetworkPolicies. Each edge becomes two halves: egress of the caller, ingress of the one called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cartwright.tree.dependencies import NAMESPACE_LABEL, App, DependencyMap
from cartwright.tree.ranges import Range
from cartwright.yaml.scalars import scalar

__all__ = ["generate"]

_LABEL = "app.kubernetes.io/name"
_HEADER = (
    "# Generated from apps/dependencies.yaml by `cartwright networkpolicies`: "
    "change the map there, then run the command."
)


def generate(dependencies: DependencyMap) -> dict[str, str]:
    """The policy of every app: path of the file to its text."""
    return {app.file: _policy(dependencies, app) for app in dependencies.apps.values()}


def _policy(dependencies: DependencyMap, app: App) -> str:
    lines = [
        _HEADER,
        "apiVersion: networking.k8s.io/v1",
        "kind: NetworkPolicy",
        "metadata:",
        f"  name: {scalar(app.name)}",
        "  labels:",
        f"    {_LABEL}: {scalar(app.name)}",
        "  annotations:",
        "    # Before the Jobs of wave -1, which need these edges.",
        '    argocd.argoproj.io/sync-wave: "-2"',
        "spec:",
        "  podSelector:",
        *_indent(4, _match_labels(app.pods)),
        "  policyTypes: [Ingress, Egress]",
        *_rules("ingress", list(_ingress(dependencies, app))),
        *_rules("egress", list(_egress(dependencies, app))),
    ]
    return "\n".join(lines) + "\n"


def _ingress(dependencies: DependencyMap, app: App) -> Iterator[list[str]]:
    if app.outside:
        yield _rule("outside the cluster", "from", _blocks(dependencies.outside), _tcp(app.outside))
    for caller in app.callers:
        yield _rule(caller.neighbour, "from", _peers(dependencies, caller.neighbour), _tcp([caller.port]))
    if app.metrics is not None:
        scraper = dependencies.apps[dependencies.scraper]
        yield _rule(f"{scraper.key} reads metrics", "from", [_pods(scraper)], _tcp([app.metrics]))
    callers = [
        (caller.key, call.port) for caller in dependencies.apps.values() for call in caller.calls if call.to == app.key
    ]
    for key, port in sorted(callers):
        yield _rule(key, "from", _peers(dependencies, key), _tcp([port]))


def _egress(dependencies: DependencyMap, app: App) -> Iterator[list[str]]:
    resolvers = _selected({NAMESPACE_LABEL: dependencies.dns_namespace}, _labels(dependencies.dns_labels))
    yield _rule(
        "name resolution",
        "to",
        [resolvers, *_blocks(dependencies.dns_node_local)],
        [_port("UDP", dependencies.dns_port), _port("TCP", dependencies.dns_port)],
    )
    if app.api_server:
        ports = _tcp(dependencies.api_server_ports)
        yield _rule("the Kubernetes API server", "to", _blocks(dependencies.outside), ports)
    for call in app.calls:
        yield _rule(_title(dependencies, call.to), "to", _peers(dependencies, call.to), _tcp([call.port]))
    if app.key == dependencies.scraper:
        for neighbour in dependencies.neighbours.values():
            if neighbour.metrics is not None:
                peers = _peers(dependencies, neighbour.name)
                yield _rule(f"{neighbour.name}: metrics", "to", peers, _tcp([neighbour.metrics]))
        for read in sorted(dependencies.apps.values(), key=lambda one: one.key):
            if read.metrics is not None:
                yield _rule(f"{read.key}: metrics", "to", [_pods(read)], _tcp([read.metrics]))


def _title(dependencies: DependencyMap, name: str) -> str:
    """A callee for people: addresses alone tell a reader nothing."""
    external = dependencies.external.get(name)
    return f"{name} ({', '.join(external.hosts)})" if external and external.hosts else name


def _rules(direction: str, rules: Sequence[list[str]]) -> list[str]:
    if not rules:
        return [f"  {direction}: []"]
    return [f"  {direction}:", *(line for rule in rules for line in _indent(4, rule))]


def _rule(comment: str, direction: str, peers: Iterable[Sequence[str]], ports: Sequence[str]) -> list[str]:
    lines = [f"# {comment}", f"- {direction}:"]
    for first, *rest in peers:
        lines += [f"    - {first}", *_indent(6, rest)]
    return [*lines, "  ports:", *(f"    - {port}" for port in ports)]


def _peers(dependencies: DependencyMap, name: str) -> list[list[str]]:
    """The peers of an app, a neighbour or an external."""
    if name in dependencies.apps:
        return [_pods(dependencies.apps[name])]
    if name in dependencies.neighbours:
        neighbour = dependencies.neighbours[name]
        return [_selected(neighbour.namespaces, _labels(neighbour.labels) if neighbour.labels else None)]
    return _blocks(dependencies.external[name].ranges)


def _pods(app: App) -> list[str]:
    return _selected({NAMESPACE_LABEL: app.namespace}, _match_labels(app.pods))


def _selected(namespaces: Mapping[str, str], selector: Sequence[str] | None) -> list[str]:
    lines = ["namespaceSelector:", *_indent(2, _labels(namespaces))]
    return [*lines, "podSelector:", *_indent(2, selector)] if selector is not None else lines


def _labels(labels: Mapping[str, str]) -> list[str]:
    return ["matchLabels:", *_indent(2, [f"{scalar(key)}: {scalar(value)}" for key, value in labels.items()])]


def _match_labels(pods: Sequence[str]) -> list[str]:
    if len(pods) == 1:
        return _labels({_LABEL: pods[0]})
    values = ", ".join(scalar(pod) for pod in pods)
    return ["matchExpressions:", f"  - key: {_LABEL}", "    operator: In", f"    values: [{values}]"]


def _blocks(ranges: Iterable[Range]) -> list[list[str]]:
    return [_block(one) for one in ranges]


def _block(addresses: Range) -> list[str]:
    lines = ["ipBlock:", f"  cidr: {_cidr(addresses.cidr)}"]
    if addresses.kept:
        lines.append(f"  except: [{', '.join(map(_cidr, addresses.kept))}]")
    return lines


def _cidr(cidr: str) -> str:
    return f'"{cidr}"' if ":" in cidr else cidr


def _tcp(ports: Iterable[int]) -> list[str]:
    return [_port("TCP", port) for port in ports]


def _port(protocol: str, port: int) -> str:
    return f"{{protocol: {protocol}, port: {port}}}"


def _indent(width: int, lines: Iterable[str]) -> list[str]:
    return [" " * width + line for line in lines]
