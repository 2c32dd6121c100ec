"""What a process takes over from the manifest of the workload that it stands in for."""

from __future__ import annotations

from cartwright.cluster.standin import container_flags, container_variables


def test_flags_leave_the_program_out_and_expand_variables() -> None:
    container = {"command": ["/usr/local/bin/argocd-repo-server"], "args": ["--image=$(IMAGE)", "--x", "$(UNKNOWN)"]}
    assert container_flags(container, {"IMAGE": "quay.io/a/b:1"}) == ["--image=quay.io/a/b:1", "--x", "$(UNKNOWN)"]


def test_a_container_with_arguments_alone_gives_all_of_them() -> None:
    assert container_flags({"args": ["--a", "b"]}, {}) == ["--a", "b"]
    assert container_flags({"args": ["/usr/local/bin/program"]}, {}) == []


def test_variables_come_from_the_manifest_and_from_config_maps_but_not_from_secrets() -> None:
    container = {
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "EMPTY"},
            {"name": "MAPPED", "valueFrom": {"configMapKeyRef": {"name": "params", "key": "a"}}},
            {"name": "UNSET", "valueFrom": {"configMapKeyRef": {"name": "params", "key": "b", "optional": True}}},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "redis", "key": "auth"}}},
            {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ]
    }
    maps = {"params": {"a": "from the map"}}
    assert container_variables(container, lambda name: maps.get(name, {})) == {"PLAIN": "1", "MAPPED": "from the map"}
