"""The real node of the hub as ``up`` handles it: whether there is one, its images, and how they get to dev."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartwright.cluster.blueprint import Component, Plan, service_range
from cartwright.cluster.gitremote import Remote, check_out, uncommitted
from cartwright.cluster.node.layout import NodeLayout
from cartwright.cluster.node.lifecycle import RealNode, open_node
from cartwright.cluster.state import Layout
from cartwright.kernel.errors import ClusterError, ToolError, UserError
from cartwright.registry.reference import parse_reference

if TYPE_CHECKING:
    from cartwright.images.buildah import Built

__all__ = ["Real", "open_real"]


@dataclass(frozen=True)
class Real:
    """A real node, and everything that it runs."""

    node: RealNode
    images: Mapping[str, Built]
    """By name of the service or recipe."""
    sandbox: str
    """The image that holds pods' namespaces, ``name:tag@digest``."""

    def components(self, plan: Plan) -> list[Component]:
        """Its processes; the registry starts with the stores."""
        joined = self.node.components(
            cluster=plan.hub,
            authority=plan.clusters[plan.hub].authority,
            services=service_range(0),
            ports=plan.ports,
            sandbox_image=self.sandbox,
            registries={parse_reference(image.name).host for image in self.images.values()},
        )
        return [self.node.registry(plan.ports), *joined]

    def objects(self) -> list[dict[str, Any]]:
        """What the hub's cluster must hold before the node joins it."""
        return self.node.objects(services=service_range(0), helper_image=self.sandbox)

    def record(
        self, root: Path, remote: Remote, commit: str, *, environment: str, port: int, say: Callable[[str], None]
    ) -> str:
        """Push the images and put them into an environment, as a release pipeline would; returns the commit.

        Args:
            root: the repository.
            remote: what Argo CD syncs from.
            commit: what it is to bring about, without the images.
            environment: the environment that gets them.
            port: the local registry's.
            say: told of each app that changes.

        Raises:
            ToolError: the registry or Git does not do its part.
        """
        from cartwright.images.rollout import record_images

        with remote.staged(commit) as branch:
            record_images(
                root,
                self.images,
                environment=environment,
                remote=remote.path,
                branch=branch,
                port=port,
                say=say,
            )
        return remote.head() or commit


def open_real(
    root: Path,
    layout: Layout,
    *,
    simulated: bool,
    has_one: bool,
    include_uncommitted: bool,
    say: Callable[[str], None],
) -> Real | None:
    """The real node of a cluster; None where every pod is simulated, with one line that says why.

    Args:
        root: the repository.
        layout: where the cluster's files are.
        simulated: whether a person wants every pod simulated.
        has_one: whether the cluster that runs has a real node.
        include_uncommitted: build images from the work tree as it is, not from HEAD.
        say: told that line, and of each image that is built.

    Raises:
        UserError: another kind of cluster is asked for than the one that runs, or sources can't be built.
        ClusterError: the node that there is can't run any more.
    """
    settled = (layout.data / "etcd").is_dir()
    has_one = has_one or NodeLayout.of(layout).root.is_dir()
    if settled and simulated and has_one:
        raise UserError("this cluster has a real node", hint="`cartwright down` first, then `up --simulated`")
    if settled and not has_one:
        if not simulated:
            say("node: every pod is simulated, as at this cluster's start; run `cartwright down` first for a real node")
        return None
    if simulated:
        say("node: every pod is simulated")
        return None
    node = open_node(layout, say=say)
    if node is None:
        if settled:
            raise ClusterError("the real node of this cluster can't run here any more; `cartwright down` removes it")
        return None
    try:
        return _with_images(node, _sources(root, layout, include_uncommitted=include_uncommitted), say)
    except ToolError as error:
        if settled:
            raise
        say(f"node: every pod is simulated: images can't be built here: {' '.join(str(error).split())}")
        return None


def _with_images(node: RealNode, sources: Path, say: Callable[[str], None]) -> Real:
    """Build what is missing, before anything starts that needs it."""
    # Loaded here alone: `status` would take a quarter longer to start.
    from cartwright.images.store import SANDBOX, stored_recipes, stored_services

    recipes = stored_recipes(sources, say=say)
    services = stored_services(sources, say=say)
    return Real(node, {**recipes, **services}, sandbox=recipes[SANDBOX].reference)


def _sources(root: Path, layout: Layout, *, include_uncommitted: bool) -> Path:
    """What images are built from: what Argo CD gets to see. That is the work tree only where it was asked for."""
    if include_uncommitted or not uncommitted(root):
        return root
    clone = layout.scratch / "sources"
    shutil.rmtree(clone, ignore_errors=True)
    return check_out(root, clone)
