"""Gatekeeper beside an API server, no controllers and no Argo CD: seconds instead of a whole cluster."""

from __future__ import annotations

import copy
import http
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cartwright.cluster.argocd import Webhook
from cartwright.cluster.blueprint import Plan
from cartwright.cluster.components import plan_components
from cartwright.cluster.placements import prepare_gatekeeper
from cartwright.kernel.ports import LOOPBACK
from cartwright.policy.gatekeeper import CONSTRAINT, TEMPLATE
from tests.cluster.sandbox import until
from tests.policy.admission import NAME, Answer, ApiServer, running_apiserver

Object = Mapping[str, Any]
CONSTRAINTS = f"/apis/{CONSTRAINT}/{TEMPLATE.lower()}"
_SECONDS = 60.0
_WITHOUT = "PodSecurity,ServiceAccount,Priority,LimitRanger,ResourceQuota"
"""Admission that would answer before Gatekeeper, or needs controllers."""


@dataclass
class Cluster:
    """An API server, and what it calls its kinds."""

    server: ApiServer
    process: subprocess.Popen[bytes] = field(init=False)
    """Gatekeeper."""
    resources: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    """Plural, and whether there are namespaces, by API version and kind."""

    def discover(self) -> None:
        """Learn the kinds that are served now."""
        groups = self.server.read("/apis")["groups"]
        for version in ["v1", *(one["groupVersion"] for group in groups for one in group["versions"])]:
            for one in self.server.read(_prefix(version))["resources"]:
                if "/" not in one["name"]:
                    self.resources[version, one["kind"]] = (one["name"], one["namespaced"])

    def path(self, one: Object) -> str | None:
        """Where objects of its kind are posted; None for a kind that is not served."""
        known = self.resources.get((one["apiVersion"], one["kind"]))
        if known is None:
            return None
        plural, namespaced = known
        namespace = (one.get("metadata") or {}).get("namespace") or "default"
        return f"{_prefix(one['apiVersion'])}{f'/namespaces/{namespace}' if namespaced else ''}/{plural}"

    def create(self, one: Object, *, dry_run: bool = False) -> Answer | None:
        """Post an object; None for a kind that is not served."""
        path = self.path(one)
        return path and self.server.ask("POST", f"{path}?fieldManager=tests{'&dryRun=All' if dry_run else ''}", one)

    def must_create(self, objects: Iterable[Object]) -> None:
        """Post objects, in order, all of which must be taken."""
        for one in objects:
            answer = self.create(one)
            assert answer is not None, one["kind"]
            assert answer.status in (http.HTTPStatus.CREATED, http.HTTPStatus.CONFLICT), answer

    def live(self, one: Object) -> dict[str, Any]:
        """The object as the API server keeps it."""
        return self.server.read(f"{self.path(one)}/{one['metadata']['name']}")

    def items(self, api_version: str, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind."""
        plural, _ = self.resources[api_version, kind]
        found = self.server.read(f"{_prefix(api_version)}/{plural}")["items"]
        return [{**one, "apiVersion": api_version, "kind": kind} for one in found]

    def stop(self) -> None:
        """End Gatekeeper."""
        self.process.kill()
        self.process.wait()

    def constraints(self) -> list[dict[str, Any]]:
        """Every constraint with its status."""
        return list(self.server.read(CONSTRAINTS)["items"])


@contextmanager
def running_gatekeeper(
    folder: Path, manifests: Sequence[Object], *, before: Iterable[Object] = (), constraints: Sequence[Object] = ()
) -> Iterator[Cluster]:
    """Gatekeeper as `cartwright up` runs it, with its manifests applied in the order of their waves.

    Args:
        folder: for files.
        manifests: the rendered objects of Gatekeeper, and the namespaces.
        before: objects that are there before anybody judges; those that the API server refuses are left out.
        constraints: in the place of those among the manifests, if any.
    """
    flags = ("--enable-admission-plugins=NodeRestriction", f"--disable-admission-plugins={_WITHOUT}")
    with running_apiserver(folder, *flags) as server:
        cluster = Cluster(server)
        cluster.discover()
        by_kind: dict[str, list[Object]] = {}
        for one in manifests:
            by_kind.setdefault(one["kind"], []).append(one)
        cluster.must_create(by_kind.pop("Namespace"))
        crds = by_kind.pop("CustomResourceDefinition")
        cluster.must_create(crds)
        last = by_kind.pop("ValidatingWebhookConfiguration")
        ours = list(constraints) or by_kind[TEMPLATE]
        by_kind.pop(TEMPLATE)
        assert until(lambda: all(_is_established(cluster, one) for one in crds), seconds=_SECONDS)
        cluster.discover()
        cluster.must_create(one for objects in by_kind.values() for one in objects)
        webhook = next(one for one in by_kind["Deployment"] if one["metadata"]["name"] == "gatekeeper-webhook")
        cluster.must_create([_pod(webhook)])
        earlier = list(before)
        for namespaces in (True, False):
            server.map(cluster.create, [one for one in earlier if (one["kind"] == "Namespace") is namespaces])
        with _process(server.plan) as (cluster.process, log):
            assert until(lambda: _is_ready(server.plan), seconds=_SECONDS), log.read_text(encoding="utf-8")[-3000:]
            assert until(lambda: _is_served(cluster), seconds=_SECONDS), log.read_text(encoding="utf-8")[-3000:]
            cluster.must_create(ours)
            assert until(lambda: _are_enforced(cluster, len(ours)), seconds=_SECONDS), log.read_text()[-3000:]
            cluster.must_create(_addressed(one, server.plan) for one in last)
            yield cluster


@contextmanager
def _process(plan: Plan) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    prepare_gatekeeper(plan)
    component = next(one for one in plan_components(plan) if one.name == f"gatekeeper-{NAME}")
    log = plan.layout.logs / "gatekeeper.log"
    # A later flag counts: nobody waits a minute for the audit here.
    command = [*component.command, "--audit-interval=2", "--constraint-violations-limit=2000"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, **component.environment})
    try:
        yield process, log
    finally:
        # It holds nothing that an orderly end would keep.
        process.kill()
        process.wait()


def _prefix(version: str) -> str:
    return f"/api/{version}" if "/" not in version else f"/apis/{version}"


def _pod(deployment: Object) -> dict[str, Any]:
    """What a ReplicaSet would make: the process takes its name."""
    template = copy.deepcopy(dict(deployment["spec"]["template"]))
    metadata = {**template["metadata"], "name": f"{deployment['metadata']['name']}-0", "namespace": "platform"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _addressed(configuration: Object, plan: Plan) -> dict[str, Any]:
    """The webhooks at the process's address, as `up` has Argo CD write it."""
    answer = Webhook(plan.ports[f"gatekeeper-{NAME}"], plan.clusters[NAME].authority).client_config
    return {**configuration, "webhooks": [{**one, "clientConfig": answer} for one in configuration["webhooks"]]}


def _is_established(cluster: Cluster, crd: Object) -> bool:
    conditions = cluster.live(crd).get("status", {}).get("conditions", [])
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _is_ready(plan: Plan) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{plan.ports[f'gatekeeper-health-{NAME}']}/readyz") as answer:
            return bool(answer.status == http.HTTPStatus.OK)
    except (urllib.error.URLError, ConnectionError):
        return False


def _is_served(cluster: Cluster) -> bool:
    try:
        cluster.constraints()
    except AssertionError:
        return False
    cluster.discover()
    return (CONSTRAINT, TEMPLATE) in cluster.resources


def _are_enforced(cluster: Cluster, count: int) -> bool:
    states = [one.get("status", {}).get("byPod") for one in cluster.constraints()]
    return len(states) == count and all(pods and all(pod.get("enforced") for pod in pods) for pods in states)
