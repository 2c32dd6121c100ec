"""How the shop's own objects are broken, one place at a time, and when a mutation is refused or survives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.errors import UserError
from cartwright.policy.cases import Mutation
from cartwright.policy.changes import Change
from cartwright.prove.mutations import mutate, run_mutations
from cartwright.prove.shop import Shop, read_shop
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

_CATALOG: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "catalog-9f6h2d4m7k", "namespace": "shop"},
    "data": {"a": "1", "list": ["x"]},
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return read_shop(open_tree(find_root(), None))


def _mutation(rule: str, object_: str, *changes: Change, added: Mapping[str, Any] | None = None) -> Mutation:
    return Mutation(rule, "prod", "shop/catalog", object_, changes, added, "a test", "table.yaml", 7)


def test_a_mutation_that_its_rule_overlooks_survives(shop: Shop, conftest_binary: Path, policies: Path) -> None:
    harmless = Change("add", ("spec", "template", "spec", "containers", 0, "securityContext", "runAsUser"), 4711)
    (outcome,) = run_mutations(
        [_mutation("pinned-image", "Deployment/catalog", harmless)], shop, conftest_binary, policies=policies
    )
    assert outcome.survived


def test_what_a_mutation_does_not_touch_stays_as_it_is() -> None:
    objects = {"shop/catalog": [_CATALOG, {"kind": "Secret", "metadata": {"name": "s"}}], "shop/orders": [_CATALOG]}
    mutation = _mutation(
        "any", "ConfigMap/catalog", Change("set", ("data", "a"), "2"), Change("add", ("data", "list", 1), "y")
    )
    result = mutate(mutation, objects)
    assert result["shop/catalog"][0]["data"] == {"a": "2", "list": ["x", "y"]}
    assert _CATALOG["data"] == {"a": "1", "list": ["x"]}
    assert result["shop/catalog"][1:] == objects["shop/catalog"][1:]
    assert result["shop/orders"] == objects["shop/orders"]


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (_mutation("r", "ConfigMap/orders", Change("set", ("data",), {})), "ConfigMap/orders is 0 objects of prod"),
        (_mutation("r", "ConfigMap/catalog", Change("set", ("data", "b"), 1)), "data.b is not there"),
        (_mutation("r", "ConfigMap/catalog", Change("add", ("data", "a"), 1)), "data.a is there already"),
        (_mutation("r", "ConfigMap/catalog", Change("remove", ("spec", "a"), None)), "does not lead anywhere"),
        (_mutation("r", "ConfigMap/catalog", Change("set", ("data", "a"), "1")), "changes nothing"),
    ],
)
def test_a_mutation_that_proves_nothing_is_refused(mutation: Mutation, message: str) -> None:
    with pytest.raises(UserError, match=rf"table\.yaml:7: .*{message}"):
        mutate(mutation, {"shop/catalog": [_CATALOG]})
