"""All rules over all environments in one run, against `conftest test` with one trivial rule on the same objects.

    .venv/bin/python -m benchmarks.policies [--objects 1000 5000 20000] [--runs R]

The first line is this repository as it is: every environment and Argo CD's own objects. The lines below are its objects
many times over, in namespaces of their own, each with its declared edges and secrets, so that references resolve as
they do once. Ours is the whole process, from rendered objects to findings; the trivial rule reads the same objects as
YAML, which is what kustomize writes. Both run in turn; ratios are medians of pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from cartwright.check.hub import NAME as HUB
from cartwright.policy.adapter import Fleet, Realm
from cartwright.policy.documents import Document
from cartwright.policy.engine import evaluate_fleets
from cartwright.policy.model import load_rules
from cartwright.prove.shop import Shop, read_shop
from cartwright.tools import require
from cartwright.tree.repository import open_tree

_ROOT = Path(__file__).resolve().parents[1]
_TRIVIAL = 'package main\n\ndeny contains "no" if input.kind == "Nothing"\n'


@dataclass(frozen=True)
class Cost:
    """What one process and its children took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor time, user and system."""
    memory: float
    """MiB of the largest process at its peak."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="*", default=[1000, 5000, 20000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--judge", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        _judge(options.judge)
        return
    shop = read_shop(open_tree(_ROOT))
    print(f"{len(load_rules(_ROOT / 'policies'))} rules, {os.cpu_count()} processors, medians of {options.runs}\n")
    print("                     all rules                  one trivial rule          ratio      per object")
    print("  objects     wall     cpu   memory       wall     cpu   memory      wall  cpu          cpu")
    environments = [realm for name, realm in shop.realms.items() if name != HUB]
    once = [Fleet(environments, shop.facts), Fleet([shop.realms[HUB]])]
    _line(once, options.runs)
    for objects in options.objects:
        _line([_scaled(shop, objects)], options.runs)


def _line(fleets: Sequence[Fleet], runs: int) -> None:
    objects = sum(len(realm.documents) for fleet in fleets for realm in fleet.realms)
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as name:
        folder = Path(name)
        (folder / "fleets").write_bytes(pickle.dumps(fleets))
        (folder / "trivial.rego").write_text(_TRIVIAL, encoding="utf-8")
        _write_yaml(folder / "yaml", fleets)
        ours = [sys.executable, "-m", "benchmarks.policies", "--judge", str(folder / "fleets")]
        conftest = str(require(["conftest"])["conftest"])
        plain = [conftest, "test", "--no-color", "--policy", str(folder / "trivial.rego"), str(folder / "yaml")]
        pairs = [(_cost(ours), _cost(plain)) for _ in range(runs)]
    mine, theirs = (_median([pair[side] for pair in pairs]) for side in (0, 1))
    wall = statistics.median(own.wall / other.wall for own, other in pairs)
    cpu = statistics.median(own.cpu / other.cpu for own, other in pairs)
    print(
        f"  {objects:7} {mine.wall:6.2f} s {mine.cpu:5.2f} s {mine.memory:4.0f} MiB   "
        f"{theirs.wall:6.2f} s {theirs.cpu:5.2f} s {theirs.memory:4.0f} MiB   "
        f"{wall:5.2f} {cpu:5.2f}   {1e6 * mine.cpu / objects:7.0f} µs",
        flush=True,
    )


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        *(statistics.median(getattr(cost, field) for cost in costs) for field in ("wall", "cpu", "memory")),
    )


def _cost(command: Sequence[str]) -> Cost:
    """Run a command that must succeed, and see what the kernel counted for it and all that it started."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with code {process.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _judge(file: Path) -> None:
    """What is measured: every rule that these fleets are asked."""
    fleets: Sequence[Fleet] = pickle.loads(file.read_bytes())
    evaluation = evaluate_fleets(fleets, require(["conftest"])["conftest"], policies=_ROOT / "policies")
    print(f"{evaluation.objects} objects, {evaluation.rules} rules, {len(evaluation.findings)} findings")


def _write_yaml(folder: Path, fleets: Sequence[Fleet]) -> None:
    """The objects as kustomize writes them: a file of several documents for each overlay."""
    folder.mkdir()
    for realm in (realm for fleet in fleets for realm in fleet.realms):
        files: dict[str, list[Any]] = defaultdict(list)
        for document in realm.documents:
            files[f"{realm.name}-{document.path.replace('/', '-')}.yaml"].append(document.object)
        for name, objects in files.items():
            with (folder / name).open("w", encoding="utf-8") as stream:
                yaml.dump_all(objects, stream, Dumper=yaml.CSafeDumper)


def _scaled(shop: Shop, objects: int) -> Fleet:
    """The environments' objects so many times over that there are about as many; definitions of kinds stay out."""
    realms = [
        replace(realm, documents=[one for one in realm.documents if one.object["kind"] != "CustomResourceDefinition"])
        for name, realm in shop.realms.items()
        if name != HUB
    ]
    copies = max(1, round(objects / sum(len(realm.documents) for realm in realms)))
    return Fleet([_multiplied(realm, copies) for realm in realms], shop.facts)


def _multiplied(realm: Realm, copies: int) -> Realm:
    spaces = sorted({one.object["metadata"]["name"] for one in realm.documents if one.object["kind"] == "Namespace"})
    rename = _Renaming(spaces)
    documents = [
        Document(path=f"{one.path}-{number}", index=one.index, object=rename.object(one.object, number))
        for number in range(copies)
        for one in realm.documents
    ]
    parameters = {
        rule: {name: rename.parameter(value, copies) for name, value in values.items()}
        for rule, values in realm.parameters.items()
    }
    return replace(realm, documents=documents, parameters=parameters)


class _Renaming:
    """Gives each copy namespaces of its own, wherever one is named."""

    def __init__(self, spaces: Sequence[str]) -> None:
        names = "|".join(map(re.escape, spaces))
        self._named = re.compile(rf'("(?:namespace|kubernetes\.io/metadata\.name)": ")({names})"')
        self._prefixed = re.compile(rf'"({names})/')

    def object(self, content: Mapping[str, Any], number: int) -> Mapping[str, Any]:
        made: dict[str, Any] = json.loads(self._named.sub(rf'\1\2-{number}"', json.dumps(content)))
        if made["kind"] == "Namespace":
            made["metadata"]["name"] += f"-{number}"
            made["metadata"]["labels"].pop("kubernetes.io/metadata.name", None)
        return made

    def parameter(self, value: Any, copies: int) -> Any:
        """A list or mapping that names namespaces becomes one that names those of every copy."""
        text = json.dumps(value)
        if not isinstance(value, list | dict) or not (self._named.search(text) or self._prefixed.search(text)):
            return value
        made = [
            json.loads(self._prefixed.sub(rf'"\1-{number}/', self._named.sub(rf'\1\2-{number}"', text)))
            for number in range(copies)
        ]
        if isinstance(value, dict):
            return {key: one for copy in made for key, one in copy.items()}
        unique = {json.dumps(one, sort_keys=True): one for copy in made for one in copy}
        return list(unique.values())


if __name__ == "__main__":
    main()
