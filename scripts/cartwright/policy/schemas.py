"""JSON Schemas for kubeconform that need no network.

Kubernetes' own come from the ``kubernetes-validate`` package, whose files refer to a server for shared definitions:
each is made self-contained here (the definitions it needs are copied in). Those of custom resources are made from the
CRDs in the pinned Go modules. Made once per set of versions, into the cache.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cartwright.kernel import atomic
from cartwright.kernel.errors import CartwrightError
from cartwright.kernel.paths import cache_root
from cartwright.policy.model import POD_CARRYING
from cartwright.tools import asset, load_catalogue
from cartwright.yaml.read import load_all

__all__ = ["CONSTRAINT_KIND", "schema_folder", "schema_location"]

_CRDS = (
    ("prometheus-operator", "example/prometheus-operator-crd", "."),
    ("argocd", "manifests", "crds"),
    ("gatekeeper", "config/crd", "bases"),
)
"""Tools whose modules hold CRDs that manifests here use: tool, asset, and the folder in that."""
CONSTRAINT_KIND = "CartwrightRule"
"""Kind of Gatekeeper's constraints here. Gatekeeper makes its CRD from the template, in the cluster."""
_CONSTRAINT: Mapping[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["match", "parameters"],
            "additionalProperties": False,
            "properties": {
                "enforcementAction": {"enum": ["deny", "dryrun", "warn", "scoped"]},
                "scopedEnforcementActions": {"type": "array"},
                "match": {"type": "object"},
                "parameters": {"type": "object"},
            },
        },
    },
}
_FORMAT = 5
"""Counts changes of what this module writes, so that an older cache is not taken for a current one."""
_POD_KINDS = frozenset(kind.kind for kind in POD_CARRYING)
_POD_HOLDERS = frozenset({"JobTemplateSpec", "PodSpec", "PodTemplateSpec", *(f"{kind}Spec" for kind in _POD_KINDS)})
"""What stands between an object and its pod's containers."""
_DEFINITION = re.compile(r"#/\$defs/(?P<name>[^\"]+)$|_definitions\.json#/(?:definitions|\$defs)/(?P<other>[^\"]+)$")


def schema_location() -> str:
    """The value for kubeconform's ``-schema-location``."""
    return str(schema_folder() / "{{.ResourceKind}}{{.KindSuffix}}.json")


@cache
def schema_folder() -> Path:
    """The folder of self-contained schemas for the pinned Kubernetes version, made where it is missing.

    Raises:
        CartwrightError: the installed ``kubernetes-validate`` has no schemas for that version.
    """
    from importlib.metadata import version

    kubernetes = load_catalogue()["kube-apiserver"].version
    parts = [str(_FORMAT), kubernetes, version("kubernetes-validate")]
    parts += [load_catalogue()[tool].key for tool, _, _ in _CRDS]
    home = cache_root() / "schemas" / f"{kubernetes}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"
    if not home.is_dir():
        with atomic.fill_folder(home) as side:
            _write_kubernetes(kubernetes, side)
            for tool, kept, folder in _CRDS:
                _write_crds(asset(tool, kept) / folder, side)
            constraint = side / f"{CONSTRAINT_KIND.lower()}-constraints-v1beta1.json"
            constraint.write_text(json.dumps(_CONSTRAINT), encoding="utf-8")
    return home


def _write_kubernetes(kubernetes: str, target: Path) -> None:
    import kubernetes_validate

    minor = ".".join(kubernetes.split(".")[:2])
    source = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"{minor}.0-local-strict"
    if not source.is_dir():
        raise CartwrightError(f"kubernetes-validate has no schemas for Kubernetes {minor}; raise its version")
    shared = json.loads((source / "_definitions.json").read_text(encoding="utf-8"))
    definitions = _without_descriptions(shared.get("$defs") or shared["definitions"])
    for file in sorted(source.glob("*.json")):
        if file.name.startswith("_"):
            continue
        schema = _without_descriptions(json.loads(file.read_text(encoding="utf-8")))
        if "kind" not in schema.get("properties", {}):
            continue
        needed: dict[str, Any] = {}
        schema = _localise(schema, definitions, needed)
        schema.pop("$id", None)
        schema["$defs"] = needed
        if any(one["kind"] in _POD_KINDS for one in schema.get("x-kubernetes-group-version-kind", ())):
            _demand_containers(schema)
        (target / file.name).write_text(json.dumps(schema, separators=(",", ":")), encoding="utf-8")


def _demand_containers(schema: dict[str, Any]) -> None:
    """Refuse what the API server's validation refuses and its schema does not say: a pod, or an object that makes pods,
    without any container."""
    definitions = schema["$defs"]
    for holder in [schema, *definitions.values()]:
        for field in ("spec", "jobTemplate", "template"):
            name = holder.get("properties", {}).get(field, {}).get("$ref", "").removeprefix("#/$defs/")
            if name.rsplit(".", 1)[-1] in _POD_HOLDERS:
                holder["required"] = sorted({*holder.get("required", ()), field})
                definitions[name]["type"] = "object"
    for name, definition in definitions.items():
        if name.endswith(("core.v1.Container", "core.v1.EphemeralContainer")):
            definition["type"] = "object"
        elif name.endswith("core.v1.PodSpec"):
            definition["properties"]["containers"]["minItems"] = 1


def _localise(value: Any, definitions: dict[str, Any], needed: dict[str, Any]) -> Any:
    """A copy of ``value`` whose references point into ``$defs``; collects the definitions that they name."""
    if isinstance(value, list):
        return [_localise(item, definitions, needed) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _localise(item, definitions, needed) for key, item in value.items() if key != "$ref"}
    reference = value.get("$ref")
    if isinstance(reference, str):
        match = _DEFINITION.search(reference)
        if match is None:
            raise CartwrightError(f"kubernetes-validate: a reference of unknown form: {reference}")
        name = match["name"] or match["other"]
        copy["$ref"] = f"#/$defs/{name}"
        if name not in needed:
            needed[name] = {}
            needed[name] = _localise(definitions[name], definitions, needed)
    return copy


def _without_descriptions(value: Any) -> Any:
    """Drops the prose: it is most of a schema, and kubeconform would parse it for every kind."""
    if isinstance(value, dict):
        return {
            key: _without_descriptions(item)
            for key, item in value.items()
            if not (key == "description" and isinstance(item, str))
        }
    return [_without_descriptions(item) for item in value] if isinstance(value, list) else value


def _write_crds(folder: Path, target: Path) -> None:
    for file in sorted(folder.rglob("*.yaml")):
        for crd in load_all(file.read_text(encoding="utf-8"), str(file)):
            if not isinstance(crd, dict) or crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"] or ():
                schema = _strict(_without_descriptions(version["schema"]["openAPIV3Schema"]), top=True)
                group = spec["group"].split(".")[0]
                name = f"{spec['names']['kind']}-{group}-{version['name']}.json".lower()
                (target / name).write_text(json.dumps(schema, separators=(",", ":")), encoding="utf-8")


def _strict(schema: Any, *, top: bool = False) -> Any:
    """A CRD's schema that refuses unknown fields, as the API server's pruning would drop them in silence."""
    if not isinstance(schema, dict):
        return schema
    copy = dict(schema)
    for key in ("properties", "patternProperties"):
        if key in copy:
            copy[key] = {name: _strict(item) for name, item in copy[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(copy.get(key), dict):
            copy[key] = _strict(copy[key])
    if top:
        properties = copy.setdefault("properties", {})
        properties["metadata"] = {"type": "object"}
        properties.setdefault("apiVersion", {"type": "string"})
        properties.setdefault("kind", {"type": "string"})
    if copy.get("x-kubernetes-int-or-string"):
        copy.pop("type", None)
        copy["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if (
        "properties" in copy
        and "additionalProperties" not in copy
        and not copy.get("x-kubernetes-preserve-unknown-fields")
    ):
        copy["additionalProperties"] = False
    return copy
