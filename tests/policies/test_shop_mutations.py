"""The shop's own objects broken in one place at a time: the named rule must notice, or a rule has a hole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.errors import UserError
from cartwright.policy.model import load_rules
from cartwright.prove.mutations import FOLDER, Change, Mutation, load_mutations, mutate, run_mutations
from cartwright.prove.shop import Shop, read_shop
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

_LEAST = 80

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


def test_no_mutation_of_the_shop_survives(shop: Shop, conftest_binary: Path, policies: Path) -> None:
    table = load_mutations(find_root())
    assert len(table) >= _LEAST
    outcomes = run_mutations(table, shop, conftest_binary, policies=policies)
    assert [str(one.mutation) for one in outcomes if one.survived] == []
    assert len(outcomes) == len(table)


def test_every_rule_is_proved_by_a_mutation(policies: Path) -> None:
    assert {rule.id for rule in load_rules(policies)} - {one.rule for one in load_mutations(find_root())} == set()


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {rule: r, object: Pod/x, why: w, chnge: {}}", "1: .*unknown key 'chnge'"),
        ("- {rule: r, object: new, why: w}", "1: a mutation either changes an object or adds one"),
        (
            "\n- {rule: r, object: Pod/x, why: w, add: {kind: Pod}}",
            "2: a mutation either changes an object or adds one",
        ),
    ],
)
def test_a_malformed_table_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"mutations/x\.yaml:{message}"):
        load_mutations(tmp_path)


def test_an_empty_table_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no mutation found"):
        load_mutations(tmp_path)
