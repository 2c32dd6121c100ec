"""Generating NetworkPolicies. Each edge becomes two halves: egress of the caller, ingress of the one called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cartwright.tree.dependencies import App, DependencyMap
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
        yield _rule("outside the cluster", "from", _outside(dependencies), _tcp(app.outside))
    if app.metrics is not None:
        scraper = dependencies.apps[dependencies.scraper]
        yield _rule(f"{scraper.key} reads metrics", "from", _pods(scraper), _tcp([app.metrics]))
    callers = [
        (caller.key, call.port) for caller in dependencies.apps.values() for call in caller.calls if call.to == app.key
    ]
    for key, port in sorted(callers):
        yield _rule(key, "from", _pods(dependencies.apps[key]), _tcp([port]))


def _egress(dependencies: DependencyMap, app: App) -> Iterator[list[str]]:
    resolvers = _labelled(dependencies.dns_namespace, dependencies.dns_labels)
    yield _rule(
        "name resolution", "to", resolvers, [_port("UDP", dependencies.dns_port), _port("TCP", dependencies.dns_port)]
    )
    if app.api_server:
        yield _rule("the Kubernetes API server", "to", _outside(dependencies), _tcp(dependencies.api_server_ports))
    for call in app.calls:
        yield _rule(call.to, "to", _pods(dependencies.apps[call.to]), _tcp([call.port]))
    if app.key == dependencies.scraper:
        for neighbour in dependencies.neighbours:
            peer = _labelled(neighbour.namespace, neighbour.labels)
            yield _rule(f"{neighbour.name}: metrics", "to", peer, _tcp([neighbour.metrics]))
        for read in sorted(dependencies.apps.values(), key=lambda one: one.key):
            if read.metrics is not None:
                yield _rule(f"{read.key}: metrics", "to", _pods(read), _tcp([read.metrics]))


def _rules(direction: str, rules: Sequence[list[str]]) -> list[str]:
    if not rules:
        return [f"  {direction}: []"]
    return [f"  {direction}:", *(line for rule in rules for line in _indent(4, rule))]


def _rule(comment: str, direction: str, peer: Sequence[str], ports: Sequence[str]) -> list[str]:
    first, *rest = peer
    return [
        f"# {comment}",
        f"- {direction}:",
        f"    - {first}",
        *_indent(6, rest),
        "  ports:",
        *(f"    - {port}" for port in ports),
    ]


def _pods(app: App) -> list[str]:
    return _peer(app.namespace, _match_labels(app.pods))


def _labelled(namespace: str, labels: Mapping[str, str]) -> list[str]:
    written = [f"{scalar(key)}: {scalar(value)}" for key, value in labels.items()]
    return _peer(namespace, ["matchLabels:", *_indent(2, written)])


def _peer(namespace: str, selector: Sequence[str]) -> list[str]:
    return [
        "namespaceSelector:",
        "  matchLabels:",
        f"    kubernetes.io/metadata.name: {scalar(namespace)}",
        "podSelector:",
        *_indent(2, selector),
    ]


def _match_labels(pods: Sequence[str]) -> list[str]:
    if len(pods) == 1:
        return ["matchLabels:", f"  {_LABEL}: {scalar(pods[0])}"]
    values = ", ".join(scalar(pod) for pod in pods)
    return ["matchExpressions:", f"  - key: {_LABEL}", "    operator: In", f"    values: [{values}]"]


def _outside(dependencies: DependencyMap) -> list[str]:
    lines = ["ipBlock:", f"  cidr: {_cidr(dependencies.outside_cidr)}"]
    if dependencies.outside_except:
        lines.append(f"  except: [{', '.join(map(_cidr, dependencies.outside_except))}]")
    return lines


def _cidr(cidr: str) -> str:
    return f'"{cidr}"' if ":" in cidr else cidr


def _tcp(ports: Iterable[int]) -> list[str]:
    return [_port("TCP", port) for port in ports]


def _port(protocol: str, port: int) -> str:
    return f"{{protocol: {protocol}, port: {port}}}"


def _indent(width: int, lines: Iterable[str]) -> list[str]:
    return [" " * width + line for line in lines]
