"""What a process takes over from the manifest of the workload that it stands in for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


def test_a_program_takes_the_part_of_two_workloads_and_the_name_of_a_pod(tmp_path: Path) -> None:
    def workload(name: str, flag: str) -> dict[str, object]:
        container = {"command": ["/manager"], "args": [flag], "env": [{"name": "LIMIT", "value": name}]}
        return {
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"spec": {"containers": [container]}},
            }
        }

    pods = [
        {
            "metadata": {
                "name": f"webhook-{day}",
                "namespace": "platform",
                "creationTimestamp": f"2026-01-0{day}T00:00:00Z",
            }
        }
        for day in (2, 1)
    ]
    answers = {
        "deployment/webhook": workload("webhook", "--operation=webhook"),
        "deployment/audit": workload("audit", "--operation=audit"),
        "pods --selector=app=webhook": {"items": pods},
    }
    for what, answer in answers.items():
        (tmp_path / what.replace("/", "_").replace(" ", "_")).write_text(json.dumps(answer), encoding="utf-8")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\nshift 5\ncat "{tmp_path}/$(echo "$*" | tr "/ " "__")"\n',
        encoding="utf-8",
    )
    program = tmp_path / "gatekeeper"
    program.write_text('#!/bin/sh\necho "$LIMIT $POD_NAMESPACE/$POD_NAME $*"\n', encoding="utf-8")
    for file in (kubectl, program):
        file.chmod(0o755)
    command = [sys.executable, "-m", "cartwright.cluster.standin", f"--kubectl={kubectl}", "--kubeconfig=x"]
    command += ["--namespace=platform", "--also=deployment/audit", "--as-pod", "deployment/webhook", "--"]
    done = subprocess.run([*command, str(program), "--port=1"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "audit platform/webhook-2 --operation=webhook --operation=audit --port=1\n"
