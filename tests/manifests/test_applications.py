"""From the root to the overlays: everything is reached, once, and nothing that is reached is missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest

from cartwright.tree.applications import Application, unreached
from cartwright.tree.environments import Environment
from cartwright.tree.render import Rendered
from cartwright.tree.repository import Tree

Read = Callable[[str], list[dict[str, Any]]]
APPS = 8
"""Bases below apps/, components left out."""


@pytest.fixture(scope="module")
def applicationsets(documents: Read, environments: dict[str, Environment]) -> dict[str, dict[str, Any]]:
    """ApplicationSets by environment."""
    return {name: documents(f"argocd/applicationsets/{name}.yaml")[0] for name in environments}


def test_every_overlay_builds(rendered: dict[str, Rendered], applications: tuple[Application, ...]) -> None:
    assert set(rendered) == {one.name for one in applications}
    assert all(build.resources for build in rendered.values())


def test_every_app_has_an_overlay_in_every_environment(
    tree: Tree, applications: tuple[Application, ...], environments: dict[str, Environment]
) -> None:
    bases = {
        f"{path.parent.parent.name}/{path.parent.name}"
        for path in (tree.root / "apps").glob("*/*/kustomization.yaml")
        if path.parent.parent.name != "components"
    }
    assert len(bases) >= APPS
    for name in environments:
        overlays = {one.app for one in applications if one.environment == name and one.path.startswith("environments/")}
        assert overlays == bases, name


def test_every_overlay_is_reached_by_exactly_one_generator(tree: Tree, applications: tuple[Application, ...]) -> None:
    assert unreached(tree, applications) == ()
    assert {path: count for path, count in Counter(one.path for one in applications).items() if count > 1} == {}


def test_every_cluster_is_an_application(
    applications: tuple[Application, ...], environments: dict[str, Environment]
) -> None:
    assert {one.name: one.path for one in applications if one.path.startswith("clusters/")} == {
        f"{environment.name}-cluster": f"clusters/{environment.cluster}" for environment in environments.values()
    }


def test_destination_and_path_pairs_are_unique(applications: tuple[Application, ...]) -> None:
    pairs = Counter((one.cluster, one.namespace, one.path) for one in applications)
    assert [pair for pair, count in pairs.items() if count > 1] == []


def test_an_application_is_named_by_environment_group_and_app(applications: tuple[Application, ...]) -> None:
    for one in applications:
        if one.path.startswith("environments/"):
            _, environment, group, app = one.path.split("/")
            assert (one.name, one.cluster, one.namespace) == (f"{environment}-{group}-{app}", environment, group)


def test_no_object_is_owned_by_two_applications(rendered: dict[str, Rendered]) -> None:
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for build in rendered.values():
        for resource in build.resources:
            owners[build.application.cluster, str(resource.identity)].append(build.application.name)
    assert len(owners) > 100
    assert {owned: names for owned, names in owners.items() if len(names) > 1} == {}


def test_every_object_is_cluster_wide_or_in_the_namespace_of_its_group(rendered: dict[str, Rendered]) -> None:
    cluster_wide = {"Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    cluster_wide |= {"ConstraintTemplate", "CartwrightRule", "ValidatingWebhookConfiguration"}
    for build in rendered.values():
        for resource in build.resources:
            identity = resource.identity
            if identity.kind in cluster_wide:
                assert identity.namespace == "", identity
            elif build.application.path.startswith("environments/"):
                assert identity.namespace == build.application.namespace, identity


def test_applications_refresh_for_every_file_of_their_build(
    rendered: dict[str, Rendered], applicationsets: dict[str, dict[str, Any]]
) -> None:
    for build in rendered.values():
        application = build.application
        patterns = _generate_paths(applicationsets[application.environment], application)
        for file in build.closure.files:
            assert any(_covers(pattern, file) for pattern in patterns), f"{application.name}: {file} refreshes nothing"


def test_dev_refreshes_for_base_and_components_later_environments_for_their_own_folder(
    rendered: dict[str, Rendered],
    applicationsets: dict[str, dict[str, Any]],
    environments: dict[str, Environment],
) -> None:
    for build in rendered.values():
        application = build.application
        expected = {application.path}
        if not environments[application.environment].upstreams:
            is_cluster = application.path.startswith("clusters/")
            expected |= {"clusters/base"} if is_cluster else {f"apps/{application.app}", "apps/components"}
        assert set(_generate_paths(applicationsets[application.environment], application)) == expected


def test_the_root_refreshes_for_what_it_lists_and_not_for_the_install(documents: Read, tree: Tree) -> None:
    (root,) = (one for one in documents("argocd/root.yaml") if one["kind"] == "Application")
    (kustomization,) = documents("argocd/kustomization.yaml")
    annotation = root["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"]
    folders = {PurePosixPath(path).parent.name for path in kustomization["resources"]}
    assert set(annotation.split(";")) == {".", *folders}
    for folder in folders:
        listed = {path for path in kustomization["resources"] if path.startswith(f"{folder}/")}
        assert listed == {f"{folder}/{path.name}" for path in (tree.root / "argocd" / folder).glob("*.yaml")}


def test_templates_fail_on_missing_keys_and_write_the_project_out(
    applicationsets: dict[str, dict[str, Any]],
) -> None:
    for name, applicationset in applicationsets.items():
        spec = applicationset["spec"]
        assert spec["goTemplate"] is True
        assert spec["goTemplateOptions"] == ["missingkey=error"]
        assert spec["template"]["spec"]["project"] == name
        assert spec["template"]["spec"]["destination"]["name"] == name
        assert set(spec["template"]["spec"]["source"]) == {"repoURL", "targetRevision", "path"}
        assert spec["template"]["spec"]["source"]["targetRevision"] == "refs/heads/main"
        assert {one["git"]["revision"] for one in spec["generators"]} == {"refs/heads/main"}


def test_a_bad_generator_cannot_delete_prod(applicationsets: dict[str, dict[str, Any]]) -> None:
    prod = applicationsets["prod"]["spec"]
    assert prod["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert "finalizers" not in prod["template"]["metadata"]


def test_every_application_heals_itself_retries_and_says_how_it_syncs(
    applicationsets: dict[str, dict[str, Any]], documents: Read
) -> None:
    (root,) = (one for one in documents("argocd/root.yaml") if one["kind"] == "Application")
    for spec in (root["spec"], *(one["spec"]["template"]["spec"] for one in applicationsets.values())):
        policy = spec["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True, "allowEmpty": False}
        assert policy["retry"] == {
            "limit": 5,
            "refresh": True,
            "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"},
        }
        assert set(policy["syncOptions"]) == {
            "ServerSideApply=true",
            "Validate=false",
            "PruneLast=true",
            "ApplyOutOfSyncOnly=true",
            "RespectIgnoreDifferences=true",
            "FailOnSharedResource=true",
            "PrunePropagationPolicy=foreground",
        }


def test_each_sync_option_has_its_reason_in_the_line_above(tree: Tree, environments: dict[str, Environment]) -> None:
    for file in ("argocd/root.yaml", *(f"argocd/applicationsets/{name}.yaml" for name in environments)):
        lines = tree.text(file).splitlines()
        start = next(number for number, line in enumerate(lines) if line.strip() == "syncOptions:")
        for number, line in enumerate(lines[start + 1 :], start + 1):
            if line.strip().startswith("- "):
                assert lines[number - 1].strip().startswith("# "), f"{file}:{number + 1}"


def test_replicas_are_ignored_where_autoscalers_own_them(
    applicationsets: dict[str, dict[str, Any]], rendered: dict[str, Rendered]
) -> None:
    for name, applicationset in applicationsets.items():
        scaled = any(
            resource.identity.kind == "HorizontalPodAutoscaler"
            for build in rendered.values()
            if build.application.environment == name
            for resource in build.resources
        )
        ignored = applicationset["spec"]["template"]["spec"].get("ignoreDifferences", [])
        expected = [{"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["kube-controller-manager"]}]
        assert ignored == (expected if scaled else []), name


def _generate_paths(applicationset: dict[str, Any], application: Application) -> list[str]:
    """The folders of the annotation, from the repository's root, as Argo CD reads them."""
    generators = applicationset["spec"]["generators"]
    (values,) = (
        one["git"]["values"]
        for one in generators
        if one["git"]["directories"][0]["path"].split("/")[0] == application.path.split("/")[0]
    )
    segments = application.path.split("/")
    text = values["generatePaths"].replace("{{ .path.basename }}", segments[-1])
    text = text.replace("{{ index .path.segments 2 }}", segments[2] if len(segments) > 2 else "")
    assert "{{" not in text
    return [application.path if path == "." else path.lstrip("/") for path in text.split(";")]


def _covers(folder: str, file: str) -> bool:
    return file.startswith(f"{folder}/")
