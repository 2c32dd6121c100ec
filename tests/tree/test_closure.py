"""cartwright.tree.closure: every file that a build may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.tree.closure import find_closure
from cartwright.tree.repository import FolderTree, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return FolderTree(root=tmp_path)


def write(tree: Tree, **files: str) -> None:
    for name, text in files.items():
        path = tree.root / name.replace("__", "/")
        path = path.with_name(path.name + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_every_kind_of_reference_is_followed(tree: Tree) -> None:
    names = "extra patch replacement names schema data other env secret generator"
    write(
        tree,
        overlay__kustomization="""
resources: [../base, extra.yaml]
components: [../component]
patches: [{path: patch.yaml}, {patch: "inline: yes"}]
replacements: [{path: replacement.yaml}]
configurations: [names.yaml]
openapi: {path: schema.yaml}
configMapGenerator:
  - {name: a, files: [data.yaml, key=other.yaml], envs: [env.yaml]}
secretGenerator:
  - {name: b, env: secret.yaml}
generators: [generator.yaml]
""",
        base__kustomization="resources: [deployment.yaml]",
        component__kustomization="kind: Component\npatchesStrategicMerge: [old.yaml]",
        base__deployment="",
        component__old="",
        **{f"overlay__{name}": "" for name in names.split()},
    )
    closure = find_closure(tree, "overlay")
    assert set(closure.files) == {str(path.relative_to(tree.root)) for path in tree.root.rglob("*.yaml")}
    assert [one.path for one in closure.kustomizations] == [
        "overlay/kustomization.yaml",
        "base/kustomization.yaml",
        "component/kustomization.yaml",
    ]
    assert set(closure.resources) == {"base/deployment.yaml", "overlay/extra.yaml", "overlay/generator.yaml"}


def test_remote_bases_are_named_and_not_followed(tree: Tree) -> None:
    remote = "https://github.com/argoproj/argo-cd//manifests/crds?ref=v3.2.11"
    write(tree, overlay__kustomization=f"resources: ['{remote}']")
    assert find_closure(tree, "overlay").remotes == (remote,)


def test_a_component_reached_twice_is_read_once(tree: Tree) -> None:
    write(
        tree,
        overlay__kustomization="resources: [../one, ../two]",
        one__kustomization="components: [../shared]",
        two__kustomization="components: [../shared]",
        shared__kustomization="kind: Component",
    )
    assert [one.folder for one in find_closure(tree, "overlay").kustomizations] == ["overlay", "one", "shared", "two"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("../missing", "'../missing': no such file or folder"),
        ("../empty", "'../empty': a folder without kustomization.yaml"),
    ],
    ids=["missing base", "folder without kustomization"],
)
def test_a_reference_to_nothing_names_file_and_line(tree: Tree, entry: str, message: str) -> None:
    write(tree, overlay__kustomization=f"namespace: shop\nresources:\n  - {entry}\n")
    (tree.root / "empty").mkdir()
    with pytest.raises(UserError) as caught:
        find_closure(tree, "overlay")
    assert (caught.value.file, caught.value.line, caught.value.message) == ("overlay/kustomization.yaml", 3, message)
