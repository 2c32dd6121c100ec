"""environments/<env>/environment.yaml and the JSON Schema that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from cartwright.kernel.errors import UserError
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree
from cartwright.yaml.validate import load_valid

FILE = "environments/prod/environment.yaml"


@pytest.fixture(scope="module")
def schema(tree: Tree) -> dict[str, Any]:
    """The schema, itself valid."""
    loaded: dict[str, Any] = json.loads(tree.text("environments/environment.schema.json"))
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


def test_releases_go_from_dev_to_staging_to_prod(environments: dict[str, Environment]) -> None:
    assert {name: (one.rank, one.upstreams) for name, one in environments.items()} == {
        "dev": (1, ()),
        "staging": (2, ("dev",)),
        "prod": (3, ("staging",)),
    }


def test_freezes_name_time_zones_that_exist(environments: dict[str, Environment]) -> None:
    zones = [one["timeZone"] for each in environments.values() for one in each.content["gates"]["freezes"]]
    assert zones
    for zone in zones:
        assert ZoneInfo(zone).key == zone


def test_namespaces_enforce_the_level_that_their_environment_asks_for(
    environments: dict[str, Environment], objects: Callable[..., list[tuple[Any, dict[str, Any]]]]
) -> None:
    for name, environment in environments.items():
        for _, namespace in objects("Namespace", environment=name):
            labels = namespace["metadata"]["labels"]
            for mode in ("enforce", "audit", "warn"):
                assert labels[f"pod-security.kubernetes.io/{mode}"] == environment.content["podSecurity"]
                assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "v1.36"


@pytest.mark.parametrize(
    ("right", "wrong", "message", "hint"),
    [
        pytest.param("upstreams:", "upstream:", "unknown key 'upstream'", "upstreams", id="a misspelt key"),
        pytest.param("soak: 1h", "soak: 1 hour", "does not match", None, id="a duration with a space"),
        pytest.param("podSecurity: restricted", "podSecurity: strict", "is not one of", None, id="an unknown level"),
        pytest.param("rank: 3", "rank: high", "is not of type 'integer'", None, id="a rank that is no number"),
        pytest.param("approvals: 1", "approvals: -1", "less than the minimum", None, id="a negative number"),
        pytest.param(
            "    - reason: Weekend", "    - cause: Weekend", "unknown key 'cause'", None, id="a freeze without a reason"
        ),
    ],
)
def test_a_mistake_is_refused_and_named(
    tree: Tree, schema: dict[str, Any], right: str, wrong: str, message: str, hint: str | None
) -> None:
    text = tree.text(FILE)
    assert text.count(right) == 1
    line = text[: text.index(right)].count("\n") + 1
    with pytest.raises(UserError) as caught:
        load_valid(text.replace(right, wrong), FILE, schema)
    if hint:
        assert hint in (caught.value.hint or "")
        assert caught.value.line == line
    assert caught.value.file == FILE
    assert message in caught.value.message


def test_every_key_of_the_schema_is_described(schema: dict[str, Any]) -> None:
    def bare(node: dict[str, Any], place: str) -> list[str]:
        found = []
        for key, value in node.get("properties", {}).items():
            if "description" not in value:
                found.append(f"{place}{key}")
            found += bare(value, f"{place}{key}.")
        if "items" in node:
            found += bare(node["items"], place)
        return found

    assert bare(schema, "") == []
