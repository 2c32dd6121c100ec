"""Files that kustomize's plugins read: what a generator, transformer or validator names in its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.yaml.read import load_all

__all__ = ["chart_references", "generator_references", "inline", "is_known", "plugin_references"]

_FUNCTION = "config.kubernetes.io/function"
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "AnnotationsTransformer": (),
    "ConfigMapGenerator": ("files", "envs", "env"),
    "HashTransformer": (),
    "IAMPolicyGenerator": (),
    "ImageTagTransformer": (),
    "LabelTransformer": (),
    "LegacyOrderTransformer": (),
    "NamespaceTransformer": (),
    "PatchJson6902Transformer": ("path",),
    "PatchStrategicMergeTransformer": ("paths",),
    "PatchTransformer": ("path",),
    "PrefixSuffixTransformer": (),
    "PrefixTransformer": (),
    "ReplacementTransformer": ("replacements",),
    "ReplicaCountTransformer": (),
    "SecretGenerator": ("files", "envs", "env"),
    "SortOrderTransformer": (),
    "SuffixTransformer": (),
    "ValueAddTransformer": ("targetFilePath",),
}
"""kustomize's builtin plugins whose reads are known, and the fields that name files. Charts are none of them: what helm
makes of one depends on the helm that is installed."""


def inline(entry: str) -> list[Any] | None:
    """The documents of an entry that is YAML itself; None where it names a file or folder. kustomize tells them so."""
    if ":" not in entry:
        return None
    try:
        documents = [one for one in load_all(entry, "") if one is not None]
    except UserError:
        return None
    return documents if documents and all(isinstance(one, dict) for one in documents) else None


def is_known(plugin: Any) -> bool:
    """Whether all that a plugin reads is what its configuration names. Of programs and functions nobody knows."""
    if not isinstance(plugin, dict) or plugin.get("apiVersion") != "builtin" or plugin.get("kind") not in _FIELDS:
        return False
    metadata = plugin.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return not (isinstance(annotations, dict) and _FUNCTION in annotations)


def plugin_references(plugin: Mapping[str, Any]) -> Iterator[str]:
    """The files that a builtin plugin's configuration names."""
    if plugin.get("kind") == "HelmChartInflationGenerator":
        yield from chart_references(plugin, plugin)
        return
    for field in _FIELDS.get(str(plugin.get("kind")), ()):
        value = plugin.get(field)
        if field in ("files", "envs", "env"):
            yield from (name for place, name in generator_references(plugin) if place[0] == field)
            continue
        for item in value if isinstance(value, list) else [value]:
            name = item.get("path") if isinstance(item, dict) else item
            if isinstance(name, str) and name and inline(name) is None:
                yield name


def generator_references(generator: Mapping[str, Any]) -> Iterator[tuple[list[str | int], str]]:
    """The files of an entry of ``configMapGenerator`` or ``secretGenerator``, and where each is named."""
    for field in ("files", "envs"):
        for at, entry in enumerate(_listed(generator.get(field))):
            yield [field, at], str(entry).partition("=")[2] or str(entry)
    if isinstance(generator.get("env"), str):
        yield ["env"], generator["env"]


def chart_references(chart: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    """Files and folders that a Helm chart is made of, those that may be missing included.

    Args:
        chart: an entry of ``helmCharts`` or ``helmChartInflationGenerator``, or the generator's configuration.
        shared: the ``helmGlobals``.
    """
    for field in ("valuesFile", "values"):
        if isinstance(chart.get(field), str):
            yield chart[field]
    yield from (one for one in _listed(chart.get("additionalValuesFiles")) if isinstance(one, str))
    home = chart.get("chartHome") or shared.get("chartHome") or "charts"
    name, version = chart.get("name") or chart.get("chartName"), chart.get("version") or chart.get("chartVersion")
    yield f"{home}/{name}"
    yield f"{home}/{name}-{version}"
    configuration = chart.get("configHome") or shared.get("configHome")
    if isinstance(configuration, str):
        yield configuration


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
