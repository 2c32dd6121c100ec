"""What the embedded cluster is planned from: its components, and all that their command lines are made of."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Network
from pathlib import Path

from cartwright.cluster import secrets
from cartwright.cluster.certificates import KeyPair
from cartwright.cluster.identities import ClusterIdentities, SharedIdentities, cluster_identities, shared_identities
from cartwright.cluster.kwok import write_configuration
from cartwright.cluster.state import Layout, State

__all__ = ["Component", "Phase", "Plan", "kube_clients", "make_plan", "pair", "roomy", "service_range", "stand_in"]


class Phase(IntEnum):
    """When a component starts: each phase needs the one before it to answer."""

    STORES = 1
    """etcd and Redis."""
    SERVERS = 2
    """The API servers."""
    CONTROLLERS = 3
    """Everything that works through an API server."""
    ARGOCD = 4
    """Argo CD, once its own manifests are applied to the hub."""


@dataclass(frozen=True)
class Component:
    """One supervised process."""

    name: str
    """Unique name, such as ``kube-apiserver-dev``."""
    phase: Phase
    """When it starts."""
    command: tuple[str, ...]
    """Program and arguments."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of the supervisor's own."""
    ports: tuple[str, ...] = ()
    """Names of the ports it listens on."""


@dataclass(frozen=True)
class Plan:
    """All that command lines are made from."""

    layout: Layout
    """Folders and files."""
    environments: tuple[str, ...]
    """Environments whose clusters run."""
    hub: str
    """The environment whose cluster holds Argo CD."""
    ports: Mapping[str, int]
    """Port of every name in ``port_names``."""
    tools: Mapping[str, Path]
    """Binary of every name in ``TOOLS``, and ``redis-server``."""
    shared: SharedIdentities
    """Certificates of etcd and the repo-server."""
    clusters: Mapping[str, ClusterIdentities]
    """Certificates and kubeconfigs by environment."""
    redis_password: str
    """What Argo CD's controllers authenticate to Redis with."""
    python: str
    """The Python interpreter that runs ``cartwright.cluster.standin``."""
    kwok_config: Path
    """Stages, metrics and usage of the simulated nodes and pods."""
    git_environment: Mapping[str, str]
    """What makes kustomize find remote bases in local mirrors, see ``cartwright.tree.mirrors``."""


def make_plan(layout: Layout, state: State, tools: Mapping[str, Path], git_environment: Mapping[str, str]) -> Plan:
    """Make folders, certificates and KWOK's configuration where they are not there yet, and the plan from them.

    Args:
        layout: where the cluster's files are.
        state: which environments are to run, and their ports.
        tools: path of every program.
        git_environment: see ``Plan.git_environment``.
    """
    for folder in (layout.config, layout.logs, layout.scratch, layout.data, layout.pki):
        folder.mkdir(parents=True, exist_ok=True)
    layout.pki.chmod(0o700)
    shared = shared_identities(layout)
    clusters = {
        environment: cluster_identities(
            layout,
            cluster=environment,
            shared=shared,
            port=state.ports[f"kube-apiserver-{environment}"],
            service_address=str(service_range(index)[1]),
            hub=environment == state.hub,
        )
        for index, environment in enumerate(state.environments)
    }
    return Plan(
        layout=layout,
        environments=state.environments,
        hub=state.hub,
        ports=state.ports,
        tools=tools,
        shared=shared,
        clusters=clusters,
        redis_password=secrets.derived(secrets.seed(layout), "redis", "password"),
        python=sys.executable,
        kwok_config=write_configuration(layout),
        git_environment=git_environment,
    )


def service_range(index: int) -> IPv4Network:
    """The Service addresses of the cluster with this index in rank order."""
    return IPv4Network(f"10.{96 + index}.0.0/16")


def stand_in(
    plan: Plan,
    environment: str,
    *,
    workload: str,
    namespace: str,
    command: tuple[str, ...],
    options: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """The command line of a program that takes the place of simulated pods, see ``cartwright.cluster.standin``.

    Args:
        plan: the plan.
        environment: whose cluster the workload is in.
        workload: kind and name, such as ``deployment/gatekeeper-webhook``.
        namespace: where it is.
        command: the program that stands in, and its arguments.
        options: further ones of ``cartwright.cluster.standin``.
    """
    return (
        plan.python,
        "-m",
        "cartwright.cluster.standin",
        f"--kubectl={plan.tools['kubectl']}",
        f"--kubeconfig={plan.clusters[environment].kubeconfigs['admin']}",
        f"--namespace={namespace}",
        *options,
        workload,
        "--",
        *command,
    )


def kube_clients(kubeconfig: Path) -> tuple[str, ...]:
    """Flags of a Kubernetes component that asks the API server on its own behalf and about its callers."""
    return tuple(
        f"--{flag}={kubeconfig}" for flag in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    )


def pair(certificate_flag: str, key_flag: str, files: KeyPair) -> tuple[str, str]:
    """The two flags that name a certificate and its key."""
    return f"{certificate_flag}={files.certificate}", f"{key_flag}={files.key}"


def roomy(limit: str) -> dict[str, str]:
    """Variables for a program that by default would spend half its time collecting garbage while everything comes up.

    Args:
        limit: memory from which on it collects as often as it must.
    """
    return {"GOGC": "300", "GOMEMLIMIT": limit}
