"""Fixtures of rules, read as what they stand for.

A file is a world of its own. In a fixture of a rule of scope ``fleet`` the label ``cartwright.dev/environment`` says
which environment an object is of; they come in the order in which a version passes them, each the upstream of the next.
A document of kind ``Facts`` (``cartwright.dev/v1``) holds what Git would tell under ``facts``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cartwright.policy.adapter import ENVIRONMENT, Fleet, Realm
from cartwright.policy.documents import Document, read_documents
from cartwright.policy.model import Rule

__all__ = ["read_fixtures"]

_ENVIRONMENT = "cartwright.dev/environment"
_FACTS = "cartwright.dev/Facts"


def read_fixtures(files: Iterable[Path], rules: Sequence[Rule]) -> list[Fleet]:
    """A fleet for each file, with every object of it.

    Args:
        files: ``policies/rules/<id>/<pass or fail>/<name>.yaml``.
        rules: the rules that they belong to.

    Raises:
        UserError: a file is unreadable, or holds something else than objects.
    """
    across = {rule.id for rule in rules if rule.scope == "fleet"}
    fleets = []
    for file in files:
        documents = read_documents([file])
        fleets.append(_fleet(documents) if file.parts[-3] in across else Fleet([Realm(documents)]))
    return fleets


def _fleet(documents: Sequence[Document]) -> Fleet:
    environments: dict[str, list[Document]] = defaultdict(list)
    facts: dict[str, Any] = {}
    for document in documents:
        if document.kind_key == _FACTS:
            facts |= document.object["facts"]
        labels = (document.object.get("metadata") or {}).get("labels") or {}
        environments[labels.get(_ENVIRONMENT, "")].append(document)
    order = [name for name in environments if name]
    return Fleet(
        realms=[
            Realm(
                found,
                name=name,
                upstreams=tuple(order[max(order.index(name) - 1, 0) : order.index(name)]) if name else (),
                scopes=ENVIRONMENT,
            )
            for name, found in environments.items()
        ],
        facts=facts,
    )
