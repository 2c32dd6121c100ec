"""Secrets that manifests need and Git does not hold."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from cartwright.cluster.secrets import SecretReference, derived, missing_secrets, secret_objects, seed
from cartwright.cluster.state import Layout
from cartwright.kernel.identity import identity_of
from cartwright.tree.render import Rendered
from cartwright.tree.resources import Resource


def rendered(*contents: dict[str, Any], namespace: str = "shop") -> Rendered:
    """Stands for a rendered application: its namespace and its objects are all that is read."""
    resources = tuple(Resource(identity_of(content), index, content) for index, content in enumerate(contents))
    return cast("Rendered", SimpleNamespace(application=SimpleNamespace(namespace=namespace), resources=resources))


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "catalog", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "catalog", **spec.pop("container", {})}], **spec}}},
    }


def test_variables_volumes_and_whole_secrets_are_found() -> None:
    workload = pod(
        container={
            "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "one", "key": "token"}}}],
            "envFrom": [{"secretRef": {"name": "two"}}],
        },
        volumes=[
            {"name": "a", "secret": {"secretName": "three", "items": [{"key": "tls.crt", "path": "x"}]}},
            {
                "name": "b",
                "projected": {"sources": [{"secret": {"name": "four", "items": [{"key": "k", "path": "y"}]}}]},
            },
        ],
    )
    assert missing_secrets([rendered(workload)]) == {
        SecretReference("shop", "one", "token"),
        SecretReference("shop", "two", "password"),
        SecretReference("shop", "three", "tls.crt"),
        SecretReference("shop", "four", "k"),
    }


def test_optional_references_and_secrets_that_manifests_define_are_left_alone() -> None:
    workload = pod(
        container={
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "maybe", "key": "a", "optional": True}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "defined", "key": "b"}}},
            ]
        }
    )
    defined = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "defined", "namespace": "shop"}}
    assert missing_secrets([rendered(workload, defined)]) == frozenset()


def test_a_secret_with_that_name_in_another_namespace_does_not_count() -> None:
    workload = pod(container={"env": [{"name": "B", "valueFrom": {"secretKeyRef": {"name": "x", "key": "b"}}}]})
    elsewhere = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "data"}}
    assert missing_secrets([rendered(workload, elsewhere)]) == {SecretReference("shop", "x", "b")}


def test_one_object_per_secret_holds_all_its_keys() -> None:
    references = [SecretReference("shop", "db", "user"), SecretReference("shop", "db", "password")]
    (secret,) = secret_objects(references, b"seed")["shop"]
    assert secret["metadata"]["name"] == "db"
    assert secret["stringData"] == {
        "password": derived(b"seed", "db", "password"),
        "user": derived(b"seed", "db", "user"),
    }


@given(st.binary(min_size=1), st.text(), st.text(), st.text(), st.text())
def test_values_depend_on_name_and_key_alone_and_differ_for_others(
    random_seed: bytes, name: str, key: str, other_name: str, other_key: str
) -> None:
    value = derived(random_seed, name, key)
    assert value == derived(random_seed, name, key)
    # A name that holds the separator is no Kubernetes name.
    if "/" not in name + other_name and (name, key) != (other_name, other_key):
        assert value != derived(random_seed, other_name, other_key)


def test_the_seed_is_kept_private_and_made_anew_when_half_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = seed(layout)
    assert len(first) == 32
    assert seed(layout) == first
    assert layout.seed_file.stat().st_mode & 0o777 == 0o600
    layout.seed_file.write_bytes(first[:5])
    assert len(seed(layout)) == 32
