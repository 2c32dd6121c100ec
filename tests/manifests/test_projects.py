"""AppProjects: what is deployed is allowed, and hardly anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cartwright.tree.applications import Application
from cartwright.tree.environments import Environment
from cartwright.tree.names import read_names
from cartwright.tree.render import Rendered
from cartwright.tree.repository import find_root, open_tree

from ._admission import refusals

REPOSITORY = f"{read_names(open_tree(find_root())).repository}.git"
Read = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def projects(documents: Read, environments: dict[str, Environment]) -> dict[str, dict[str, Any]]:
    """AppProjects by name, bootstrap and default included."""
    files = [
        "argocd/root.yaml",
        "argocd/projects/default.yaml",
        *(f"argocd/projects/{one}.yaml" for one in environments),
    ]
    found = [one for file in files for one in documents(file) if one["kind"] == "AppProject"]
    return {one["metadata"]["name"]: one for one in found}


def test_there_is_a_project_for_each_environment_one_for_the_root_and_a_locked_default(
    projects: dict[str, dict[str, Any]], environments: dict[str, Environment]
) -> None:
    assert set(projects) == {*environments, "bootstrap", "default"}


def test_every_application_is_in_the_project_of_its_environment(applications: tuple[Application, ...]) -> None:
    assert {one.name: one.project for one in applications if one.project != one.environment} == {}


def test_every_rendered_object_is_allowed_by_its_project(
    projects: dict[str, dict[str, Any]], rendered: dict[str, Rendered]
) -> None:
    refused = {
        name: reasons
        for name, build in rendered.items()
        if (
            reasons := list(
                refusals(
                    projects[build.application.project],
                    build.application,
                    REPOSITORY,
                    [one.content for one in build.resources],
                )
            )
        )
    }
    assert refused == {}


def test_the_root_is_allowed_by_the_bootstrap_project(projects: dict[str, dict[str, Any]], documents: Read) -> None:
    (root,) = (one for one in documents("argocd/root.yaml") if one["kind"] == "Application")
    spec = root["spec"]
    (kustomization,) = documents("argocd/kustomization.yaml")
    contents = [one for file in kustomization["resources"] for one in documents(f"argocd/{file}")]
    application = Application(
        environment="",
        name="root",
        path="argocd",
        project="bootstrap",
        cluster=spec["destination"]["name"],
        namespace=spec["destination"]["namespace"],
        source="argocd/root.yaml",
    )
    assert spec["project"] == "bootstrap"
    assert len(contents) == len(kustomization["resources"])
    assert list(refusals(projects["bootstrap"], application, spec["source"]["repoURL"], contents)) == []


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        pytest.param(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "shop"}},
            "kind Secret shop/x",
            id="a kind that the project does not list",
        ),
        pytest.param(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "kube-system"}},
            "namespace Deployment.apps kube-system/x",
            id="a namespace that the project does not list",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x"}},
            "kind Node x",
            id="a cluster-wide kind that the project does not list",
        ),
        pytest.param(
            {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "shop"}},
            "kind Deployment.extensions shop/x",
            id="a kind of another API group",
        ),
    ],
)
def test_an_object_outside_the_project_is_refused(
    projects: dict[str, dict[str, Any]], rendered: dict[str, Rendered], content: dict[str, Any], refusal: str
) -> None:
    application = rendered["prod-shop-catalog"].application
    assert list(refusals(projects["prod"], application, REPOSITORY, [content])) == [refusal]


def test_an_application_of_another_cluster_or_repository_is_refused(
    projects: dict[str, dict[str, Any]], rendered: dict[str, Rendered]
) -> None:
    application = rendered["prod-shop-catalog"].application
    assert list(refusals(projects["dev"], application, REPOSITORY, [])) == ["destination prod/shop"]
    elsewhere = replace(application, namespace="argocd")
    assert list(refusals(projects["prod"], elsewhere, REPOSITORY, [])) == ["destination prod/argocd"]
    assert list(refusals(projects["prod"], application, "https://example.org/other.git", [])) == [
        "source https://example.org/other.git"
    ]


def test_the_default_project_allows_nothing(projects: dict[str, dict[str, Any]], rendered: dict[str, Rendered]) -> None:
    application = rendered["dev-shop-catalog"].application
    assert list(refusals(projects["default"], application, REPOSITORY, [])) == [
        f"source {REPOSITORY}",
        "destination dev/shop",
    ]


def test_no_project_uses_a_wildcard_for_what_it_may_reach(projects: dict[str, dict[str, Any]]) -> None:
    for project in projects.values():
        spec = project["spec"]
        values = [
            *spec["sourceRepos"],
            *(value for one in spec["destinations"] for value in one.values()),
            *(value for one in spec["clusterResourceWhitelist"] for value in one.values()),
            *(value for one in spec["namespaceResourceWhitelist"] for value in one.values()),
        ]
        assert [value for value in values if "*" in value] == [], project["metadata"]["name"]


def test_projects_list_no_cluster_wide_kind_that_nothing_renders(
    projects: dict[str, dict[str, Any]], rendered: dict[str, Rendered], environments: dict[str, Environment]
) -> None:
    for environment in environments:
        used = {
            (resource.identity.group, resource.identity.kind)
            for build in rendered.values()
            if build.application.environment == environment
            for resource in build.resources
            if not resource.identity.namespace
        }
        listed = {(one["group"], one["kind"]) for one in projects[environment]["spec"]["clusterResourceWhitelist"]}
        assert listed == used


def test_what_controllers_make_is_listed_so_that_the_resource_tree_is_not_empty(
    projects: dict[str, dict[str, Any]], environments: dict[str, Environment]
) -> None:
    for environment in environments:
        kinds = {one["kind"] for one in projects[environment]["spec"]["namespaceResourceWhitelist"]}
        assert {"ReplicaSet", "Pod", "EndpointSlice"} <= kinds


def test_only_the_release_group_syncs_prod(projects: dict[str, dict[str, Any]]) -> None:
    may_sync = {
        group
        for role in projects["prod"]["spec"]["roles"]
        if any("applications, sync," in policy or "applications, *," in policy for policy in role["policies"])
        for group in role["groups"]
    }
    assert may_sync == {"release"}


def test_sync_windows_name_their_time_zone_and_are_freezes_of_the_environment(
    projects: dict[str, dict[str, Any]], environments: dict[str, Environment]
) -> None:
    for name, environment in environments.items():
        freezes = [
            (one["schedule"], one["duration"], one["timeZone"]) for one in environment.content["gates"]["freezes"]
        ]
        windows = [(one["schedule"], one["duration"], one["timeZone"]) for one in projects[name]["spec"]["syncWindows"]]
        assert set(windows) <= set(freezes), name
    assert projects["prod"]["spec"]["syncWindows"], "prod has no sync window"
