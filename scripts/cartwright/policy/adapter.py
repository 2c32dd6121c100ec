"""The two documents that ``policies/conftest/main.rego`` reads: what to ask, and of which objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cartwright.policy.documents import Document
from cartwright.policy.model import Rule

__all__ = ["data_document", "input_document"]


def data_document(rules: Sequence[Rule], parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """``data``: the rules with their parameters, and which of them concern a kind."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for rule in rules:
        for kind in rule.kinds:
            kinds[kind.key].append(rule.package)
    described = {
        rule.package: {
            "id": rule.id,
            "severity": rule.severity,
            "parameters": {**rule.defaults, **parameters.get(rule.id, {})},
        }
        for rule in rules
    }
    return {"run": {"rules": described, "kinds": kinds}}


def input_document(documents: Sequence[Document], *, isolate: bool) -> dict[str, Any]:
    """``input``: the objects in scopes. All share one, or with ``isolate`` those of a file."""
    scopes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for document in documents:
        scopes[document.path if isolate else ""].append(
            {
                "path": document.path,
                "index": document.index,
                "item": document.item,
                "kind": document.kind_key,
                "object": document.object,
            }
        )
    return {"scopes": list(scopes.values())}
