"""``up``: the order in which the embedded cluster comes.

Every step may be repeated: it keeps what is there and adds what is missing. So a second ``up`` changes nothing, and the
``up`` after a killed one goes on where that one ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from cartwright.cluster import argocd, bootstrap, secrets
from cartwright.cluster.blueprint import Component, Phase, Plan, make_plan
from cartwright.cluster.components import TOOLS, plan_components, port_names
from cartwright.cluster.gitremote import Remote, uncommitted
from cartwright.cluster.kubectl import Kubectl
from cartwright.cluster.node.lifecycle import PORTS as NODE_PORTS
from cartwright.cluster.node.lifecycle import REGISTRY
from cartwright.cluster.node.nodeplan import TOOLS as NODE_TOOLS
from cartwright.cluster.placements import link_argocd_certificates, prepare_gatekeeper, write_redis_configuration
from cartwright.cluster.processes import Supervisor, kill_all
from cartwright.cluster.realnode import open_real
from cartwright.cluster.state import Layout, State, exclusive
from cartwright.cluster.wait import Snapshot, wait_for
from cartwright.kernel.errors import ClusterError, UserError
from cartwright.kernel.ports import allocate, is_free, refuse_taken
from cartwright.tools import load_catalogue, require
from cartwright.tools.packages import require_programs
from cartwright.tree import mirrors
from cartwright.tree.applications import Application, find_applications
from cartwright.tree.environments import load_environments, pick_environment
from cartwright.tree.render import render
from cartwright.tree.repository import Tree, open_tree

__all__ = ["Options", "Outcome", "up"]

_READY_SECONDS = 90.0


@dataclass(frozen=True)
class Options:
    """What ``up`` is asked to do."""

    environments: tuple[str, ...] = ()
    """Environments to bring up; all of them where none is named."""
    include_uncommitted: bool = False
    """Sync the work tree's uncommitted changes too."""
    timeout: float = 300.0
    """Seconds to wait for the Applications."""
    simulated: bool = False
    """Simulate every pod, also where this machine can have a real node."""


@dataclass(frozen=True)
class Outcome:
    """How ``up`` ended."""

    snapshot: Snapshot
    """What Argo CD says at the end."""
    state: State
    """What runs."""
    stages: Mapping[str, float]
    """Seconds that each stage took, in order."""


@dataclass
class _Stages:
    """Tells what happens, and how long each stage took."""

    say: Callable[[str], None]
    seconds: dict[str, float]
    _began: float = 0.0
    _current: str = ""

    def begin(self, name: str, line: str) -> None:
        self.end()
        self._current, self._began = name, time.monotonic()
        self.say(line)

    def end(self) -> None:
        if self._current:
            self.seconds[self._current] = time.monotonic() - self._began
        self._current = ""


def up(
    root: Path,
    layout: Layout,
    options: Options,
    *,
    say: Callable[[str], None],
    show: Callable[[Snapshot], None],
) -> Outcome:
    """Start what does not run yet, push the repository's HEAD, wait until Argo CD has brought it about.

    Args:
        root: the repository.
        layout: where the cluster's files are.
        options: what is wanted.
        say: told of every stage, in one line.
        show: given what Argo CD says, about once a second.

    Raises:
        UserError: an unknown environment, or the repository can't be read.
        ClusterError: something is missing on this machine, or a component does not start.
    """
    with exclusive(layout):
        return _Up(root, layout, options, _Stages(say, {}), show).run()


class _Up:
    """One run of ``up``; its methods are its stages."""

    def __init__(
        self, root: Path, layout: Layout, options: Options, stages: _Stages, show: Callable[[Snapshot], None]
    ) -> None:
        self._root = root
        self._layout = layout
        self._options = options
        self._stages = stages
        self._show = show
        self._supervisor = Supervisor(layout)

    def run(self) -> Outcome:
        self._stages.begin("tools", "tools and images: finding them, building what is missing …")
        tools = {**require_programs("redis-server"), **require(TOOLS)}
        git = mirrors.environment()
        known = State.load(self._layout) or State()
        settled = (self._layout.data / "etcd").is_dir()
        real = open_real(
            self._root,
            self._layout,
            simulated=self._options.simulated,
            has_one=known.real,
            include_uncommitted=self._options.include_uncommitted,
            say=self._stages.say,
        )
        remote, commit = self._push(tools, keep=real is not None)
        tree = open_tree(self._layout.remote, commit)
        environments, clusters = self._environments(tree, known)
        hub = environments[0]

        self._stages.begin("processes", f"processes: etcd, Redis and the control planes of {', '.join(environments)} …")
        state = self._state(known, environments, hub, real=real is not None)
        plan = make_plan(self._layout, state, tools, git)
        components = plan_components(plan)
        if real is not None:
            components += real.components(plan)
        self._launch(plan, components)
        self._save(state)
        self._start_servers(components)
        kubectls = {
            environment: Kubectl(tools["kubectl"], self._layout.kubeconfig(environment)) for environment in environments
        }
        self._save(state)
        self._await_servers(kubectls)
        self._stages.begin("clusters", "clusters: nodes in three zones, metrics, controllers …")
        with ThreadPoolExecutor(len(environments)) as pool:
            list(pool.map(lambda one: self._bootstrap(plan, kubectls[one], one, real=real is not None), environments))
        if real is not None:
            kubectls[hub].apply(real.objects())
        self._start(components, Phase.CONTROLLERS)
        if real is not None:
            self._stages.begin("images", f"images: pushed to the local registry, recorded in {hub} …")
            commit = real.record(
                self._root, remote, commit, environment=hub, port=plan.ports[REGISTRY], say=self._stages.say
            )

        self._stages.begin("argocd", f"argocd: argocd/install, {argocd.ROOT_FILE} and the clusters' registrations …")
        argocd.apply_install(kubectls[hub], tools["kustomize"], tree, environment=git)
        if settled:
            self._await_webhooks(plan)
        self._start(components, Phase.ARGOCD)
        for environment in environments:
            argocd.register_cluster(
                kubectls[hub],
                tree,
                cluster=clusters[environment],
                port=plan.ports[f"kube-apiserver-{environment}"],
                identities=plan.clusters[environment],
            )
        names = [clusters[environment] for environment in environments]
        objects = argocd.root_objects(
            tree,
            tools["kustomize"],
            url=remote.url,
            hub=clusters[hub],
            clusters=names,
            webhooks={
                clusters[environment]: argocd.Webhook(
                    port=plan.ports[f"gatekeeper-{environment}"], authority=plan.clusters[environment].authority
                )
                for environment in environments
            },
            environment=git,
        )
        argocd.apply_root(kubectls[hub], objects)

        self._stages.begin("applications", f"applications: until every one is Synced and Healthy at {commit[:7]} …")
        applications = _applications(tree, environments)
        seeding = secrets.Seeding(render(tree, applications)[0], kubectls, secrets.seed(self._layout))

        def between() -> None:
            self._supervisor.refuse_failed(component.name for component in components)
            seeding.create()

        snapshot = wait_for(
            applications,
            commit,
            read=lambda: argocd.read_applications(kubectls[hub]),
            between=between,
            show=self._show,
            timeout=self._options.timeout,
        )
        self._stages.end()
        return Outcome(snapshot=snapshot, state=self._save(state), stages=self._stages.seconds)

    def _push(self, tools: Mapping[str, Path], *, keep: bool) -> tuple[Remote, str]:
        changed = uncommitted(self._root)
        included = self._options.include_uncommitted
        remote = Remote.open(self._layout)
        known = State.load(self._layout)
        if known and known.hub:
            remote.install_hook(kubectl=tools["kubectl"], kubeconfig=self._layout.kubeconfig(known.hub))
        commit = remote.push(self._root, include_uncommitted=included, keep=keep)
        if changed:
            files = f"{changed} uncommitted file{'s' if changed > 1 else ''}"
            self._stages.say(
                f"git: {files} committed to the bare remote only, as {commit[:7]}"
                if included
                else f"git: {files} not included; `cartwright up --include-uncommitted` would"
            )
        return remote, commit

    def _environments(self, tree: Tree, known: State) -> tuple[tuple[str, ...], dict[str, str]]:
        """Which environments are to run, the hub first, and the name of each one's cluster.

        What runs already goes on running: `down` stops it, not another `up`.
        """
        declared = load_environments(tree)
        for name in self._options.environments:
            pick_environment(declared, name)
        if not declared:
            raise UserError("no environment is declared", file="environments", hint="add one with environment.yaml")
        hub = next(iter(declared))
        wanted = {hub, *(self._options.environments or declared), *known.environments}
        chosen = tuple(name for name in declared if name in wanted)
        return chosen, {name: declared[name].cluster for name in chosen}

    def _state(self, known: State, environments: tuple[str, ...], hub: str, *, real: bool) -> State:
        if not self._supervisor.is_running():
            for process in kill_all(self._layout):
                self._stages.say(f"processes: ended {process}, left over from an earlier run")
        ports = allocate([*port_names(environments), *(NODE_PORTS if real else ())], known.ports)
        catalogue = load_catalogue()
        state = State(
            environments=environments,
            hub=hub,
            ports=ports,
            processes=known.processes,
            versions={name: catalogue[name].version for name in (*TOOLS, *(NODE_TOOLS if real else ()))},
            real=real,
        )
        state.save(self._layout)
        return state

    def _launch(self, plan: Plan, components: Sequence[Component]) -> None:
        write_redis_configuration(plan)
        link_argocd_certificates(plan)
        prepare_gatekeeper(plan)
        folders = dict.fromkeys(str(path.parent) for path in plan.tools.values())
        path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
        Remote.open(self._layout).install_hook(
            kubectl=plan.tools["kubectl"], kubeconfig=self._layout.kubeconfig(plan.hub)
        )
        running = self._supervisor.processes()
        idle = [component for component in components if component.name not in running]
        refuse_taken({port: plan.ports[port] for component in idle for port in component.ports})
        self._supervisor.launch(components, path=path)

    def _start(self, components: Sequence[Component], *phases: Phase) -> None:
        self._supervisor.start(component.name for component in components if component.phase in phases)

    def _start_servers(self, components: Sequence[Component]) -> None:
        # The API servers wait for etcd by themselves.
        self._start(components, Phase.STORES)
        self._start(components, Phase.SERVERS)

    def _await_servers(self, kubectls: Mapping[str, Kubectl]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        waiting = dict(kubectls)
        while waiting:
            self._supervisor.refuse_failed(["etcd", "redis", *(f"kube-apiserver-{name}" for name in waiting)])
            waiting = {name: kubectl for name, kubectl in waiting.items() if not kubectl.is_ready()}
            if waiting and time.monotonic() > deadline:
                name = next(iter(waiting))
                raise ClusterError(
                    f"kube-apiserver-{name} is not ready after {_READY_SECONDS:.0f} s:\n"
                    f"{self._supervisor.log_tail(f'kube-apiserver-{name}')}"
                )
            if waiting:
                time.sleep(0.3)

    def _await_webhooks(self, plan: Plan) -> None:
        """Let Gatekeeper listen first where its webhook is there already: Argo CD can compare nothing without it."""
        deadline = time.monotonic() + _READY_SECONDS
        for environment in plan.environments:
            while is_free(plan.ports[f"gatekeeper-{environment}"]) and time.monotonic() < deadline:
                time.sleep(0.3)

    def _bootstrap(self, plan: Plan, kubectl: Kubectl, environment: str, *, real: bool) -> None:
        objects = bootstrap.cluster_objects(
            plan.clusters[environment].authority,
            metrics_port=plan.ports[f"metrics-server-{environment}"],
            simulated_volumes=not (real and environment == plan.hub),
        )
        kubectl.apply(objects)

    def _save(self, state: State) -> State:
        current = replace(state, processes=self._supervisor.processes())
        current.save(self._layout)
        return current


def _applications(tree: Tree, environments: Sequence[str]) -> tuple[Application, ...]:
    found = find_applications(tree, load_environments(tree))
    return tuple(application for application in found if application.environment in environments)
