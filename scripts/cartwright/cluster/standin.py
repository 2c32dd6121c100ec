"""Runs a program in the place of a workload whose pods are only simulated.

    python -m cartwright.cluster.standin --kubectl … --kubeconfig … --namespace platform \
        deployment/prometheus-operator -- /path/to/operator --apiserver=…

Waits until the workload is in the cluster (with ``--also`` another one, with ``--as-pod`` a pod of the first one too),
takes the variables and flags that the manifest gives the container, puts this command line's own flags and this
process's own variables over them, and becomes the program. So what ``argocd/install`` or an overlay configures holds
for the process as it would for the pod.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run

__all__ = ["container_flags", "container_variables", "main"]

_POLL_SECONDS = 1.0
_REFERENCE = re.compile(r"(?<!\$)\$\(([A-Za-z_][\w.-]*)\)")


def container_flags(container: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """The flags of a container, without the program that they are for, with ``$(NAME)`` expanded as a kubelet does.

    >>> container_flags({"command": ["/bin/x"], "args": ["--image=$(IMAGE)", "--all"]}, {"IMAGE": "busybox"})
    ['--image=busybox', '--all']
    """
    words = [*container.get("command", []), *container.get("args", [])]
    first_flag = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))

    def expanded(word: str) -> str:
        return _REFERENCE.sub(lambda match: variables.get(match[1], match[0]), word)

    return [expanded(word) for word in words[first_flag:]]


def container_variables(container: Mapping[str, Any], config_map: Callable[[str], Mapping[str, str]]) -> dict[str, str]:
    """The variables of a container: literal ones, and those from ConfigMaps. Secrets and pod fields are left out.

    Args:
        container: from the workload's pod template.
        config_map: returns the data of the ConfigMap with a name, empty where there is none.
    """
    variables = {}
    for entry in container.get("env", []):
        reference = entry.get("valueFrom", {}).get("configMapKeyRef")
        value = config_map(reference["name"]).get(reference["key"]) if reference else entry.get("value")
        if value is not None:
            variables[entry["name"]] = value
    return variables


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the program."""
    parser = argparse.ArgumentParser(prog="python -m cartwright.cluster.standin")
    parser.add_argument("--kubectl", required=True)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--also", action="append", default=[], help="a further workload whose part the program takes")
    parser.add_argument("--as-pod", action="store_true", help="tell the program the name of a pod of the workload")
    parser.add_argument("workload")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    kubectl = [options.kubectl, f"--kubeconfig={options.kubeconfig}", f"--namespace={options.namespace}"]

    def read(*what: str) -> dict[str, Any] | None:
        try:
            text = run([*kubectl, "get", "-o=json", "--ignore-not-found", *what], timeout=30).stdout
        except ToolError:
            return None  # the API server restarts; it will be back
        return json.loads(text) if text else None

    def wait_for(name: str) -> dict[str, Any]:
        while (found := read(name)) is None:
            # One program that waits, rather than one a second: nine stand-ins do so while everything comes up.
            try:
                run([*kubectl, "wait", "--for=create", name, "--timeout=60s"], timeout=90)
            except ToolError:
                time.sleep(_POLL_SECONDS)
        return found

    workloads = [wait_for(name) for name in (options.workload, *options.also)]
    containers = [workload["spec"]["template"]["spec"]["containers"][0] for workload in workloads]
    found: dict[str, Mapping[str, str]] = {}

    def config_map(name: str) -> Mapping[str, str]:
        if name not in found:
            found[name] = (read(f"configmap/{name}") or {}).get("data") or {}
        return found[name]

    program, *flags = options.command
    variables: dict[str, str] = {}
    words = [Path(program).name]
    for container in containers:
        variables |= container_variables(container, config_map)
        words += container_flags(container, variables)
    if options.as_pod:
        selector = ",".join(f"{key}={value}" for key, value in workloads[0]["spec"]["selector"]["matchLabels"].items())
        while not (pods := (read("pods", f"--selector={selector}") or {}).get("items")):
            time.sleep(_POLL_SECONDS)
        # The newest: of a rollout's two generations it is the one that stays.
        pod = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]))["metadata"]
        variables |= {"POD_NAME": pod["name"], "POD_NAMESPACE": pod["namespace"]}
    os.execve(program, [*words, *flags], {**variables, **os.environ})  # noqa: S606


if __name__ == "__main__":
    main()
