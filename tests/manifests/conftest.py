"""What the tests of the repository's own manifests share: every application, rendered once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cartwright.tools import require
from cartwright.tree.applications import Application, find_applications
from cartwright.tree.environments import Environment, load_environments
from cartwright.tree.render import Rendered, render
from cartwright.tree.repository import Tree, find_root, open_tree
from cartwright.yaml.read import load_all

Object = Mapping[str, Any]


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The work tree."""
    return open_tree(find_root())


@pytest.fixture(scope="session")
def environments(tree: Tree) -> dict[str, Environment]:
    """Every environment by name."""
    return load_environments(tree)


@pytest.fixture(scope="session")
def applications(tree: Tree, environments: dict[str, Environment]) -> tuple[Application, ...]:
    """Every Application that the ApplicationSets generate."""
    return find_applications(tree, environments)


@pytest.fixture(scope="session")
def rendered(tree: Tree, applications: tuple[Application, ...]) -> dict[str, Rendered]:
    """Every Application's build, by name."""
    builds, failures = render(tree, applications)
    assert [f"{one.file}:{one.line}: {one.message}" for one in failures] == []
    return {one.application.name: one for one in builds}


@pytest.fixture(scope="session")
def objects(rendered: dict[str, Rendered]) -> Callable[..., list[tuple[Application, Object]]]:
    """Objects of all environments, or of one, of one kind."""

    def pick(kind: str | None = None, *, environment: str | None = None) -> list[tuple[Application, Object]]:
        return [
            (build.application, resource.content)
            for build in rendered.values()
            if environment in {None, build.application.environment}
            for resource in build.resources
            if kind in {None, resource.content["kind"]}
        ]

    return pick


@pytest.fixture(scope="session")
def documents(tree: Tree) -> Callable[[str], list[dict[str, Any]]]:
    """The documents of a YAML file of the repository."""

    def read(path: str) -> list[dict[str, Any]]:
        return [one for one in load_all(tree.text(path), path) if one]

    return read


def pod_template(content: Object) -> Object | None:
    """The pod template of a workload; None for an object that has no pods."""
    template: Object | None = (content.get("spec") or {}).get("template")
    return template if template and "spec" in template else None


def containers(template: Object) -> Iterator[Object]:
    """Init containers and containers of a pod template."""
    yield from template["spec"].get("initContainers") or ()
    yield from template["spec"]["containers"]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The pinned promtool."""
    return require(["promtool"])["promtool"]
