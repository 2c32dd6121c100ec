"""`cartwright check` against the plain loop: for each overlay, kustomize build, kubeconform and conftest with the same
rules.

    .venv/bin/python -m benchmarks.check [--this | --apps N --environments M] [--runs R]

The loop is given a head start: the files that conftest reads are made before the clock runs, and it lints nothing,
while `check` also runs yamllint, finds idle entries and doubly owned objects, and traces findings to their source.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import cache_with_tools, compare, seconds
from benchmarks.synthetic import write_repository
from cartwright.policy.adapter import Fleet, Realm, data_document, input_document
from cartwright.policy.documents import Document
from cartwright.policy.model import load_rules
from cartwright.policy.schemas import schema_location
from cartwright.tools import require
from cartwright.tree import mirrors
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import FolderTree

_CARTWRIGHT = str(Path(sys.executable).with_name("cartwright"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=20)
    parser.add_argument("--environments", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--this", action="store_true", help="measure this repository, not a synthetic one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as folder:
        if options.this:
            root = Path(folder) / "repository"
            for name in ("apps", "argocd", "clusters", "environments", "policies"):
                shutil.copytree(Path(__file__).resolve().parents[1] / name, root / name)
        else:
            root = write_repository(
                Path(folder) / "repository",
                apps=options.apps,
                environments=[f"env-{number}" for number in range(options.environments)],
            )
        _measure(root, Path(folder), options.runs)


def _measure(root: Path, folder: Path, runs: int) -> None:
    tools = require(["kustomize", "kubeconform", "conftest"])
    tree = FolderTree(root=root)
    environments = load_environments(tree)
    applications = find_applications(tree, environments)
    rendered, failures = render(tree, applications)
    assert not failures, failures
    rules = load_rules(root / "policies")
    policies = root / "policies"
    modules = [
        file
        for top in ("conftest", "lib", "rules")
        for file in sorted((policies / top).rglob("*.rego"))
        if not file.name.endswith("_test.rego")
    ]
    asked = " ".join(f"--policy {module}" for module in modules)
    data = folder / "data.json"
    data.write_text(json.dumps(data_document(rules, [Fleet([Realm(())])])), encoding="utf-8")
    git = "".join(f"{key}={value} " for key, value in mirrors.environment().items())
    lines = ["set -euo pipefail"]
    for one in rendered:
        name = one.application.name
        documents = [Document(path=name, index=resource.index, object=resource.content) for resource in one.resources]
        objects = folder / f"{name}.json"
        objects.write_text(json.dumps(input_document([Fleet([Realm(documents)])])), encoding="utf-8")
        lines += [
            f"{git}{tools['kustomize']} build {one.application.path} > {folder}/out.yaml",
            f"{tools['kubeconform']} -strict -schema-location '{schema_location()}' {folder}/out.yaml",
            f"{tools['conftest']} test --no-color --no-fail --output=json {asked} --data {data} {objects}",
        ]
    script = folder / "loop.sh"
    script.write_text("\n".join(lines), encoding="utf-8")
    print(f"{len(rendered)} overlays in {len(environments)} environments, {len(rules)} rules\n")

    env = cache_with_tools(folder / "cache")

    def loop() -> float:
        return seconds(["bash", str(script)], cwd=root)

    def check() -> float:
        return seconds([_CARTWRIGHT, "check", "--format", "json"], cwd=root, env=env)

    def cold() -> float:
        for kind in ("rendered", "verdicts", "reports", "lint"):
            shutil.rmtree(folder / "cache" / kind, ignore_errors=True)
        return check()

    overlay = root / rendered[0].application.path / "kustomization.yaml"
    original = overlay.read_text(encoding="utf-8")
    changes = iter(range(1000))

    def one_changed() -> float:
        overlay.write_text(f"{original}# change {next(changes)}\n", encoding="utf-8")
        return check()

    check()
    compare("check, nothing cached", cold, loop, runs=runs)
    compare("check, nothing changed", check, loop, runs=runs)
    compare("check, one overlay changed", one_changed, loop, runs=runs)


if __name__ == "__main__":
    main()
