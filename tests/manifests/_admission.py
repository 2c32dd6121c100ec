"""What Argo CD lets an AppProject deploy, as far as it depends on the project alone (tested against version 3.2.11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from cartwright.kernel.identity import identity_of
from cartwright.tree.applications import Application

Object = Mapping[str, Any]


def refusals(project: Object, application: Application, repository: str, contents: Sequence[Object]) -> Iterator[str]:
    """Why Argo CD would refuse an Application of that project, or one of its objects. Nothing: it would not."""
    spec = project["spec"]
    if not any(fnmatchcase(repository, pattern) for pattern in spec.get("sourceRepos") or ()):
        yield f"source {repository}"
    if not _may_deploy_to(spec, application.cluster, application.namespace):
        yield f"destination {application.cluster}/{application.namespace}"
    for content in contents:
        identity = identity_of(content)
        key = "namespaceResourceWhitelist" if identity.namespace else "clusterResourceWhitelist"
        if not any(
            fnmatchcase(identity.group, one["group"]) and fnmatchcase(identity.kind, one["kind"])
            for one in spec.get(key) or ()
        ):
            yield f"kind {identity}"
        elif identity.namespace and not _may_deploy_to(spec, application.cluster, identity.namespace):
            yield f"namespace {identity}"


def _may_deploy_to(spec: Object, cluster: str, namespace: str) -> bool:
    return any(
        fnmatchcase(cluster, one.get("name", "")) and fnmatchcase(namespace, one["namespace"])
        for one in spec.get("destinations") or ()
    )
