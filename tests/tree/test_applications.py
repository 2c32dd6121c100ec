"""cartwright.tree.applications: what the ApplicationSets generate, by their own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.tree.applications import find_applications, unreached
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import open_tree


def names(root: Path) -> list[str]:
    tree = open_tree(root)
    return [one.name for one in find_applications(tree, load_environments(tree))]


def edit(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_each_overlay_and_each_cluster_is_an_application(repository: Path) -> None:
    assert names(repository) == [
        "dev-cluster",
        "dev-shop-app-000",
        "dev-shop-app-001",
        "prod-cluster",
        "prod-shop-app-000",
        "prod-shop-app-001",
    ]


def test_an_application_knows_its_place(repository: Path) -> None:
    tree = open_tree(repository)
    (one,) = [one for one in find_applications(tree, load_environments(tree)) if one.name == "prod-shop-app-000"]
    assert (one.environment, one.path, one.project, one.cluster, one.namespace, one.source, one.app) == (
        "prod",
        "environments/prod/shop/app-000",
        "prod",
        "prod",
        "shop",
        "argocd/prod.yaml",
        "shop/app-000",
    )


def test_a_star_does_not_cross_a_slash(repository: Path) -> None:
    deep = repository / "environments" / "dev" / "shop" / "app-000" / "deeper"
    deep.mkdir()
    (deep / "kustomization.yaml").write_text("kind: Kustomization\n", encoding="utf-8")
    assert not any("deeper" in name for name in names(repository))


def test_an_excluded_folder_is_not_generated_and_is_reported_as_unreached(repository: Path) -> None:
    edit(
        repository,
        "argocd/dev.yaml",
        "          - path: environments/dev/*/*\n",
        "          - path: environments/dev/*/*\n          - path: environments/dev/shop/app-001\n"
        "            exclude: true\n",
    )
    assert "dev-shop-app-001" not in names(repository)
    tree = open_tree(repository)
    applications = find_applications(tree, load_environments(tree))
    assert unreached(tree, applications) == ("environments/dev/shop/app-001/kustomization.yaml",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{{ .values.name }}", "{{ .values.nmae }}", "'{{.values.nmae}}' has no value here"),
        (
            "{{ .values.name }}",
            "{{ .values.name | upper }}",
            "is a template expression that Cartwright does not support",
        ),
        ("{{ .values.name }}", "same", "Application 'dev-same' is generated from"),
        ("name: dev\n", "name: elsewhere\n", "destination.name 'elsewhere' is not the cluster of any environment"),
    ],
    ids=["missing key", "a function", "one name for all", "unknown cluster"],
)
def test_what_argo_cd_would_refuse_or_we_cannot_read_is_an_error(
    repository: Path, old: str, new: str, message: str
) -> None:
    text = (repository / "argocd" / "dev.yaml").read_text(encoding="utf-8")
    start = text.index("  template:")
    assert old in text[start:]
    (repository / "argocd" / "dev.yaml").write_text(text[:start] + text[start:].replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        names(repository)
    assert caught.value.file == "argocd/dev.yaml"
    assert message in caught.value.message
