"""Asking cyclonus, an independent reader of NetworkPolicies, what a set of them lets through.

It knows nothing of the declared map: it gets policies, pods and namespaces, and answers for every pair of pods, port
and protocol, both halves apart. Where one end is not a pod, it is asked traffic by traffic.
"""

from __future__ import annotations

import itertools
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run

__all__ = ["Endpoint", "Flow", "Verdict", "ask"]

_CELLS = {".": True, "X": False}
"""What a cell says: let through, or refused. Anything else is no answer."""
_ALLOWED = re.compile(r"^\|\s*IS ALLOWED\?\s*\|\s*(TRUE|FALSE)\s*\|", re.MULTILINE)
"""The last line of the answer on a single traffic."""


@dataclass(frozen=True)
class Endpoint:
    """One end of a connection: a pod, or an address that is none."""

    name: str
    """A name for people, unique among the endpoints of a question."""
    address: str
    namespace: str = ""
    """Of its pod; empty if it is not a pod."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Of its pod."""

    @property
    def is_pod(self) -> bool:
        """Whether policies can select it."""
        return bool(self.namespace)


class Flow(NamedTuple):
    """A connection that somebody could make; source and target are names of endpoints."""

    source: str
    target: str
    port: int
    """Port of the target's pod."""
    protocol: str
    """``TCP``, ``UDP`` or ``SCTP``."""

    def __str__(self) -> str:
        return f"{self.source} → {self.target} {self.protocol}/{self.port}"


class Verdict(NamedTuple):
    """What the policies say of a flow."""

    egress: bool
    """Whether those of the source let it out."""
    ingress: bool
    """Whether those of the target let it in."""

    @property
    def through(self) -> bool:
        """Whether it gets through: both halves are open."""
        return self.egress and self.ingress


def ask(
    binary: Path,
    policies: Sequence[Mapping[str, Any]],
    endpoints: Sequence[Endpoint],
    namespaces: Mapping[str, Mapping[str, str]],
    ports: Iterable[tuple[int, str]],
) -> dict[Flow, Verdict]:
    """The verdict on every flow between two of the endpoints of which one at least is a pod.

    Args:
        binary: cyclonus.
        policies: NetworkPolicies; each names its namespace.
        endpoints: everything that may be an end.
        namespaces: labels of every namespace that has a pod.
        ports: number and protocol of each port that is tried.

    Raises:
        ToolError: cyclonus fails, or what it prints is not what was asked for.
    """
    asked = sorted(set(ports))
    pods = sorted((one for one in endpoints if one.is_pod), key=lambda one: one.namespace)
    with tempfile.TemporaryDirectory(prefix="cyclonus-") as folder:
        home = Path(folder)
        traffics = [
            (source, target, port, protocol)
            for source, target in itertools.product(endpoints, repeat=2)
            if source.is_pod != target.is_pod
            for port, protocol in asked
        ]
        files = {
            "policies": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": list(policies)},
            "probe": _probe(pods, namespaces, asked),
            "traffic": [_traffic(*one, namespaces) for one in traffics],
        }
        for name, content in files.items():
            (home / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        arguments: list[str | Path] = [binary, "analyze", "--policy-path", home / "policies.json"]
        probed = run([*arguments, "--mode", "probe", "--probe-path", home / "probe.json"]).stdout
        told = run([*arguments, "--mode", "query-traffic", "--traffic-path", home / "traffic.json"]).stdout
    return {**_read_probe(probed, pods, asked), **_read_traffic(told, traffics)}


def _probe(
    pods: Sequence[Endpoint], namespaces: Mapping[str, Mapping[str, str]], asked: Sequence[tuple[int, str]]
) -> dict[str, Any]:
    """Every pod listens on every port: what nobody serves today must be refused all the same."""
    containers = [
        {"Name": f"on-{port}", "Port": port, "PortName": f"on-{port}", "Protocol": "TCP"}
        for port in sorted({port for port, _ in asked})
    ]
    return {
        "Resources": {
            "Namespaces": {name: dict(labels) for name, labels in namespaces.items()},
            "Pods": [
                {
                    "Namespace": one.namespace,
                    "Name": _key(number),
                    "Labels": dict(one.labels),
                    "IP": one.address,
                    "Containers": containers,
                }
                for number, one in enumerate(pods)
            ],
        },
        "Probes": [{"Port": port, "Protocol": protocol} for port, protocol in asked],
    }


def _key(number: int) -> str:
    """Its name in the question: short, in the order of the pods, and nothing that a table would break or rewrite."""
    return f"p{number:04}"


def _traffic(
    source: Endpoint, target: Endpoint, port: int, protocol: str, namespaces: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    return {
        "Source": _peer(source, namespaces),
        "Destination": _peer(target, namespaces),
        "ResolvedPort": port,
        "Protocol": protocol,
    }


def _peer(endpoint: Endpoint, namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    if not endpoint.is_pod:
        return {"IP": endpoint.address}
    pod = {
        "Namespace": endpoint.namespace,
        "NamespaceLabels": dict(namespaces[endpoint.namespace]),
        "PodLabels": dict(endpoint.labels),
    }
    return {"IP": endpoint.address, "Internal": pod}


def _read_probe(text: str, pods: Sequence[Endpoint], asked: Sequence[tuple[int, str]]) -> dict[Flow, Verdict]:
    """Three tables for each port: ingress, egress and both."""
    tables = list(_tables(text, [f"{one.namespace}/{_key(number)}" for number, one in enumerate(pods)]))
    titles = ["Ingress", "Egress", "Combined"] * len(asked)
    if [title for title, _ in tables] != titles:
        raise ToolError(f"cyclonus printed {len(tables)} tables where {len(titles)} were asked for")
    cells = [rows for _, rows in tables]
    found: dict[Flow, Verdict] = {}
    for (port, protocol), ingress, egress, both in zip(asked, cells[::3], cells[1::3], cells[2::3], strict=True):
        for (row, source), (column, target) in itertools.product(enumerate(pods), repeat=2):
            verdict = Verdict(egress=egress[row][column], ingress=ingress[row][column])
            flow = Flow(source.name, target.name, port, protocol)
            if verdict.through != both[row][column]:
                raise ToolError(f"cyclonus contradicts itself: {flow}")
            found[flow] = verdict
    return found


def _tables(text: str, keys: Sequence[str]) -> Iterator[tuple[str, list[list[bool]]]]:
    """Title and cells of each table: rows are sources, columns targets, both named by these keys and in their order."""
    for title, body in re.findall(r"^(\w+):\n((?:[+|].*\n)+)", text, re.MULTILINE):
        lines = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line.startswith("|")
        ]
        header, *rows = lines
        if not any(header):
            continue  # the pods of a live cluster, which it was told to ask none of
        if header[1:] != [key.upper() for key in keys] or [row[0] for row in rows] != list(keys):
            raise ToolError(f"cyclonus printed a table of other pods than it was asked for: {header}")
        try:
            yield title, [[_CELLS[cell] for cell in row[1:]] for row in rows]
        except KeyError as error:
            raise ToolError(f"cyclonus gave no answer but {error} in its table '{title}'") from error


def _read_traffic(text: str, traffics: Sequence[tuple[Endpoint, Endpoint, int, str]]) -> dict[Flow, Verdict]:
    """One word on each traffic. The half of an end that is not a pod is open: no policy holds there."""
    answers = [word == "TRUE" for word in _ALLOWED.findall(text)]
    if len(answers) != len(traffics):
        raise ToolError(f"cyclonus printed {len(answers)} answers where {len(traffics)} were asked for")
    return {
        Flow(source.name, target.name, port, protocol): Verdict(
            egress=allowed or not source.is_pod, ingress=allowed or not target.is_pod
        )
        for (source, target, port, protocol), allowed in zip(traffics, answers, strict=True)
    }
