"""Entries of a kustomization that change nothing: kustomize is silent about them, so they are looked for here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cartwright.kernel.findings import Finding
from cartwright.policy.patches import is_component
from cartwright.tree.closure import Kustomization
from cartwright.tree.render import Rendered
from cartwright.tree.sources import SourceMap

__all__ = ["idle_entries"]


def idle_entries(rendered: Rendered, sources: SourceMap) -> Iterator[Finding]:
    """Findings for each ``patches`` and ``images`` entry that matches no object; of ``replicas`` kustomize itself
    complains."""
    objects: list[Mapping[str, Any]] = [resource.content for resource in rendered.resources]
    # A patch may delete its target, so the objects before any patch count too.
    targets = [*objects, *sources.objects(rendered.closure)]
    images = {image for content in objects for image in _images(content)}
    if any(kustomization.content.get("configurations") for kustomization in rendered.closure.kustomizations):
        # A transformer configuration may name further fields that hold images, of any kind but a definition's.
        images |= {
            text for content in objects if content.get("kind") != "CustomResourceDefinition" for text in _texts(content)
        }
    for kustomization in rendered.closure.kustomizations:
        for index, entry in enumerate(kustomization.content.get("images") or ()):
            if not any(_is_image(image, entry) for image in images):
                yield _finding(kustomization, sources, "images", index, f"no container has the image '{entry['name']}'")
        if is_component(kustomization.folder):
            # Generated for the rules as they are now, and merged at once; an older release may not have all of them.
            continue
        for index, entry in enumerate(kustomization.content.get("patches") or ()):
            target = entry.get("target")
            if target and not any(_is_target(content, target) for content in targets):
                what = ", ".join(f"{key} {value}" for key, value in target.items())
                yield _finding(kustomization, sources, "patches", index, f"no object matches the target ({what})")


def _finding(kustomization: Kustomization, sources: SourceMap, key: str, index: int, message: str) -> Finding:
    return Finding(
        file=kustomization.path,
        line=sources.line(kustomization, (key, index)),
        rule="idle-entry",
        severity="error",
        message=f"{key}[{index}] changes nothing: {message}; correct it or remove it",
    )


def _images(content: Any) -> Iterator[str]:
    """Every image that kustomize's transformer sees: those of lists named ``containers`` or ``initContainers``."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key in {"containers", "initContainers"} and isinstance(value, list):
                yield from (str(one["image"]) for one in value if isinstance(one, Mapping) and "image" in one)
            else:
                yield from _images(value)
    elif isinstance(content, list):
        for item in content:
            yield from _images(item)


def _texts(content: Any) -> Iterator[str]:
    """Every string value, however deep."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping | list):
        for value in content.values() if isinstance(content, Mapping) else content:
            yield from _texts(value)


def _is_image(image: str, entry: Mapping[str, Any]) -> bool:
    name, digest = str(entry.get("newName") or entry.get("name")), entry.get("digest")
    repository, _, found = image.partition("@")
    return (repository == name or repository.startswith(f"{name}:")) and digest in {None, found}


def _is_target(content: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    metadata = content.get("metadata") or {}
    group, slash, version = str(content.get("apiVersion", "")).partition("/")
    known = "apiVersion" in content
    checks = {
        "kind": content.get("kind"),
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace") if known else target.get("namespace"),
        "group": (group if slash else "") if known else target.get("group"),
        "version": (version if slash else group) if known else target.get("version"),
    }
    if any(target.get(key) and not re.fullmatch(str(target[key]), str(value)) for key, value in checks.items()):
        return False
    selectors = {"labels": target.get("labelSelector"), "annotations": target.get("annotationSelector")}
    return all(_selects(str(wanted), metadata.get(key) or {}) for key, wanted in selectors.items() if wanted)


def _selects(selector: str, labels: Mapping[str, Any]) -> bool:
    """Equality-based requirements; a set-based one (``in (…)``) is taken as met: a miss here must be certain."""
    for requirement in selector.split(","):
        key, operator, value = requirement.partition("=")
        if operator and "(" not in requirement:
            unequal = key.endswith("!")
            if (str(labels.get(key.rstrip("!").strip())) == value.strip("= ")) == unequal:
                return False
    return True
