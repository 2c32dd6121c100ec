"""Which applications exist, taken from ``argocd/`` by the rules of ApplicationSet's own generators.

There is no second list: a folder that no generator reaches is not deployed, and `check` says so.
The parts of Go templates that are understood are those that directory generators need; anything else is an error,
never a guess.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.tree.closure import kustomization_file
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree
from cartwright.yaml.read import load_all

__all__ = ["Application", "find_applications", "unreached"]

ROOT = "argocd/root.yaml"
_EXPRESSION = re.compile(r"{{-?\s*(.*?)\s*-?}}")


@dataclass(frozen=True, order=True)
class Application:
    """One Argo CD Application."""

    environment: str
    """Environment whose cluster it is deployed to."""
    name: str
    """``metadata.name``, such as ``prod-shop-catalog``."""
    path: str
    """Folder of its kustomization, such as ``environments/prod/shop/catalog``."""
    project: str
    """Its AppProject."""
    cluster: str
    """``destination.name``."""
    namespace: str
    """``destination.namespace``; empty where it names none."""
    source: str
    """File of the ApplicationSet that generates it."""
    generator: str = ""
    """Name of that ApplicationSet."""
    manifest: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The Application itself, as the ApplicationSet controller would make it."""

    @property
    def app(self) -> str:
        """``group/name`` for an overlay of an app, ``cluster`` for what a cluster needs before all others."""
        parts = PurePosixPath(self.path).parts
        return "/".join(parts[2:]) if parts[0] == "environments" else "cluster"


def find_applications(
    tree: Tree, environments: Mapping[str, Environment], *, folders: Collection[str] | None = None
) -> tuple[Application, ...]:
    """Every Application that the root's ApplicationSets generate, by environment and name.

    Args:
        folders: only those of folders with one of these last names; in a large repository that is a matter of
            milliseconds.

    Raises:
        UserError: ``argocd/`` can't be read, two Applications have one name, or a template is not understood.
    """
    by_cluster = {environment.cluster: environment for environment in environments.values()}
    found: dict[str, Application] = {}
    for file, applicationset in _applicationsets(tree):
        for application in _generate(tree, file, applicationset, by_cluster, folders):
            if application.name in found:
                raise UserError(
                    f"Application '{application.name}' is generated from {found[application.name].path} "
                    f"and from {application.path}",
                    file=file,
                )
            found[application.name] = application
    rank = {environment.name: environment.rank for environment in environments.values()}
    return tuple(sorted(found.values(), key=lambda one: (rank[one.environment], one.name)))


def unreached(tree: Tree, applications: Sequence[Application]) -> tuple[str, ...]:
    """Kustomizations below ``environments/`` that no ApplicationSet reaches, so that Argo CD never deploys them."""
    reached = {application.path for application in applications}
    folders = {str(PurePosixPath(path).parent) for path in tree.walk("environments")}
    return tuple(
        file
        for folder in sorted(folders - reached)
        if (file := kustomization_file(tree, folder)) and not any(folder.startswith(f"{one}/") for one in reached)
    )


def _applicationsets(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    roots = [one for one in load_all(tree.text(ROOT), ROOT) if one and one.get("kind") == "Application"]
    if len(roots) != 1:
        raise UserError(f"holds {len(roots)} Applications; expected one, the root", file=ROOT)
    pending = [str(roots[0]["spec"]["source"]["path"])]
    while pending:
        folder = pending.pop()
        file = kustomization_file(tree, folder)
        if file is None:
            raise UserError(f"the root Application's path '{folder}' has no kustomization.yaml", file=ROOT)
        for entry in load_all(tree.text(file), file)[0].get("resources", ()):
            path = str(PurePosixPath(folder) / entry)
            if tree.is_dir(path):
                pending.append(path)
                continue
            for document in load_all(tree.text(path), path):
                if isinstance(document, dict) and document.get("kind") == "ApplicationSet":
                    yield path, document


def _generate(
    tree: Tree,
    file: str,
    applicationset: dict[str, Any],
    by_cluster: Mapping[str, Environment],
    folders: Collection[str] | None,
) -> Iterator[Application]:
    spec = applicationset["spec"]
    for generator in spec["generators"]:
        git = generator.get("git")
        if git is None or "directories" not in git:
            raise UserError(f"generator '{next(iter(generator))}' is not a git directory generator", file=file)
        for path in _match_directories(tree, git["directories"]):
            if folders is not None and path.rpartition("/")[2] not in folders:
                continue
            context: dict[str, Any] = {
                "path": {
                    "path": path,
                    "segments": path.split("/"),
                    "basename": path.rsplit("/", 1)[-1],
                },
            }
            context["values"] = {
                key: _expand(str(value), context, file) for key, value in git.get("values", {}).items()
            }
            manifest = _manifest(applicationset, context, file)
            metadata, made = manifest["metadata"], manifest["spec"]
            cluster = str(made["destination"].get("name", ""))
            if cluster not in by_cluster:
                raise UserError(f"destination.name '{cluster}' is not the cluster of any environment", file=file)
            yield Application(
                environment=by_cluster[cluster].name,
                name=metadata["name"],
                path=made["source"]["path"],
                project=made["project"],
                cluster=cluster,
                namespace=str(made["destination"].get("namespace", "")),
                source=file,
                generator=str((applicationset.get("metadata") or {}).get("name", "")),
                manifest=manifest,
            )


def _manifest(applicationset: Mapping[str, Any], context: Mapping[str, Any], file: str) -> dict[str, Any]:
    """An Application of this ApplicationSet: its template, filled, in the ApplicationSet's own namespace."""
    template = applicationset["spec"]["template"]
    return {
        "apiVersion": applicationset["apiVersion"],
        "kind": "Application",
        "metadata": {
            **_expand_all(template["metadata"], context, file),
            "namespace": (applicationset.get("metadata") or {}).get("namespace", ""),
        },
        "spec": _expand_all(template["spec"], context, file),
    }


def _match_directories(tree: Tree, patterns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Folders that a git directory generator picks: ``*`` does not cross a slash, ``exclude`` wins over any match."""
    picked: set[str] = set()
    for pattern in (one for one in patterns if not one.get("exclude")):
        picked.update(tree.match_folders(pattern["path"]))
    excluded = [one["path"].split("/") for one in patterns if one.get("exclude")]
    return sorted(path for path in picked if not any(_same(path.split("/"), pattern) for pattern in excluded))


def _same(segments: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(segments) == len(pattern) and all(map(fnmatchcase, segments, pattern))


def _expand(template: str, context: Mapping[str, Any], file: str) -> str:
    """Fill a Go template of field accesses and ``index``; missing keys are errors, as ``missingkey=error`` says."""
    parts = _split(template)
    if len(parts) == 1:
        return template
    return "".join(_evaluate(part, context, file) if place % 2 else part for place, part in enumerate(parts))


@functools.cache
def _split(template: str) -> tuple[str, ...]:
    """Text and expressions of a template, in turn: each is used once per application, and there may be thousands."""
    return tuple(_EXPRESSION.split(template))


def _expand_all(template: Any, context: Mapping[str, Any], file: str) -> Any:
    """Fill every text of a template, keys as well."""
    if isinstance(template, str):
        return _expand(template, context, file) if "{{" in template else template
    if isinstance(template, dict):
        return {
            _expand_all(str(key), context, file): _expand_all(value, context, file) for key, value in template.items()
        }
    if isinstance(template, list):
        return [_expand_all(value, context, file) for value in template]
    return template


def _evaluate(expression: str, context: Mapping[str, Any], file: str) -> str:
    words = expression.split()
    try:
        if len(words) == 1 and words[0].startswith("."):
            return str(_field(words[0], context))
        if len(words) == 3 and words[0] == "index":
            return str(_field(words[1], context)[int(words[2]) if words[2].isdigit() else words[2].strip('"')])
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(f"'{{{{{expression}}}}}' has no value here", file=file) from error
    raise UserError(f"'{{{{{expression}}}}}' is a template expression that Cartwright does not support", file=file)


def _field(dotted: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for part in dotted.strip(".").split("."):
        value = value[part]
    return value
