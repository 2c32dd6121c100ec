"""cartwright.tree.closure: every file that a build may read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.check.cached import check
from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import CheckReport, Coverage
from cartwright.kernel.run import run
from cartwright.tools import require
from cartwright.tree.applications import Application
from cartwright.tree.closure import find_closure
from cartwright.tree.render import Rendered, render
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


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: {a: b}\n"
PATCH = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: {NAME: patched}\n"
JSON_PATCH = '[{"op": "add", "path": "/data/NAME", "value": "patched"}]\n'
REPLACEMENT = """\
source: {kind: ConfigMap, name: base, fieldPath: data.a}
targets: [{select: {kind: ConfigMap, name: base}, fieldPaths: [data.NAME], options: {create: true}}]
"""
TARGET = {"kind": "ConfigMap", "name": "base"}
Files = dict[str, str]


def plugin(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "builtin", "kind": kind, "metadata": {"name": name}, **fields}


# What reads files in a plugin's configuration: the plugin, and the files with their content.
PLUGINS: dict[str, Callable[[str], tuple[dict[str, Any], Files]]] = {
    "PatchTransformer": lambda n: (
        plugin("PatchTransformer", n, path=f"{n}-patch.yaml", target=TARGET),
        {f"{n}-patch.yaml": JSON_PATCH.replace("NAME", n)},
    ),
    "PatchJson6902Transformer": lambda n: (
        plugin("PatchJson6902Transformer", n, path=f"{n}-patch.json", target={"version": "v1", **TARGET}),
        {f"{n}-patch.json": JSON_PATCH.replace("NAME", n)},
    ),
    "PatchStrategicMergeTransformer": lambda n: (
        plugin("PatchStrategicMergeTransformer", n, paths=[f"{n}-patch.yaml", PATCH.replace("NAME", f"{n}i")]),
        {f"{n}-patch.yaml": PATCH.replace("NAME", n)},
    ),
    "ReplacementTransformer": lambda n: (
        plugin("ReplacementTransformer", n, replacements=[{"path": f"{n}-replacement.yaml"}]),
        {f"{n}-replacement.yaml": REPLACEMENT.replace("NAME", n)},
    ),
    "ConfigMapGenerator": lambda n: (
        plugin("ConfigMapGenerator", n, files=[f"{n}.txt", f"key={n}.bin"], envs=[f"{n}.env"]),
        {f"{n}.txt": "a", f"{n}.bin": "b", f"{n}.env": "c=d\n"},
    ),
    "SecretGenerator": lambda n: (
        plugin("SecretGenerator", n, files=[f"{n}.txt"], env=f"{n}.env"),
        {f"{n}.txt": "a", f"{n}.env": "c=d\n"},
    ),
}
# What reads files in a kustomization itself.
FIELDS: dict[str, Callable[[str], tuple[dict[str, Any], Files]]] = {
    "resources": lambda n: ({"resources": [f"{n}.yaml"]}, {f"{n}.yaml": CONFIG_MAP.replace("base", n)}),
    "a folder": lambda n: (
        {"resources": [n]},
        {f"{n}/kustomization.yml": "resources: [one.yaml]\n", f"{n}/one.yaml": CONFIG_MAP.replace("base", n)},
    ),
    "components": lambda n: (
        {"components": [n]},
        {
            f"{n}/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
            "patches: [{path: p.yaml}]\n",
            f"{n}/p.yaml": PATCH.replace("NAME", n),
        },
    ),
    "patches": lambda n: ({"patches": [{"path": f"{n}.yaml"}]}, {f"{n}.yaml": PATCH.replace("NAME", n)}),
    "patchesStrategicMerge": lambda n: (
        {
            "patchesStrategicMerge": [
                f"{n}.yaml",
                json.dumps(
                    {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "base"}, "data": {f"{n}j": "1"}}
                ),
            ]
        },
        {f"{n}.yaml": PATCH.replace("NAME", n)},
    ),
    "patchesJson6902": lambda n: (
        {"patchesJson6902": [{"path": f"{n}.yaml", "target": {"version": "v1", **TARGET}}]},
        {f"{n}.yaml": JSON_PATCH.replace("NAME", n)},
    ),
    "replacements": lambda n: (
        {"replacements": [{"path": f"{n}.yaml"}]},
        {f"{n}.yaml": REPLACEMENT.replace("NAME", n)},
    ),
    "configurations": lambda n: (
        {"configurations": [f"{n}.yaml"]},
        {f"{n}.yaml": "namePrefix: [{path: metadata/name}]\n"},
    ),
    "configMapGenerator": lambda n: (
        {"configMapGenerator": [{"name": n, "files": [f"{n}.txt", f"key={n}.bin"], "envs": [f"{n}.env"]}]},
        {f"{n}.txt": "a", f"{n}.bin": "b", f"{n}.env": "c=d\n"},
    ),
    "secretGenerator": lambda n: (
        {"secretGenerator": [{"name": n, "env": f"{n}.env"}]},
        {f"{n}.env": "c=d\n"},
    ),
}
PLACES = ("inline", "one line", "file", "file below", "list", "folder")


def overlay(parts: list[tuple[str, str, bool]]) -> Files:
    """The files of an overlay that has each of these plugins or fields, plugins at the place that is told."""
    content: dict[str, Any] = {"resources": ["base.yaml"]}
    files: Files = {"base.yaml": CONFIG_MAP}
    for number, (what, place, validates) in enumerate(parts):
        name = f"x{number}"
        if what in FIELDS:
            fields, more = FIELDS[what](name)
            for key, entries in fields.items():
                content[key] = [*content.get(key, []), *entries]
        else:
            configuration, more = PLUGINS[what](name)
            makes = "generators" if what.endswith("Generator") else "validators" if validates else "transformers"
            text = json.dumps(configuration)
            entry = {
                "inline": json.dumps(configuration, indent=2),
                "one line": text,
                "file": f"{name}-plugin.yaml",
                "file below": f"below/{name}.yaml",
                "list": f"{name}-list.yaml",
                "folder": f"{name}-folder",
            }[place]
            if place == "list":
                text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [configuration]})
            if place == "folder":
                more[f"{entry}/kustomization.yaml"] = "resources: [plugin.yaml]\n"
                more[f"{entry}/plugin.yaml"] = text
            elif not place.startswith(("inline", "one")):
                more[entry] = text
            content[makes] = [*content.get(makes, []), entry]
        files |= more
    return {**files, "kustomization.yaml": json.dumps(content)}


def application(path: str) -> Application:
    words = dict.fromkeys(("name", "project", "cluster", "namespace", "source", "generator"), "")
    return Application(environment="", path=path, **words)


PARTS = st.tuples(st.sampled_from([*FIELDS, *PLUGINS]), st.sampled_from(PLACES), st.booleans())


@given(st.lists(PARTS, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_an_edit_of_any_file_that_a_build_reads_changes_the_key(parts: list[tuple[str, str, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in overlay(parts).items():
            file = root / "overlay" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

        def read() -> tuple[str, bool]:
            tree = FolderTree(root=root)
            closure = find_closure(tree, "overlay")
            return str([(path, tree.hash(path)) for path in closure.files]), closure.complete

        before, complete = read()
        assert complete
        for path in overlay(parts):
            file = root / "overlay" / path
            text = file.read_bytes()
            file.write_bytes(text + b"\n")
            assert read()[0] != before, path
            file.write_bytes(text)


@pytest.mark.parametrize("place", PLACES)
def test_kustomize_reads_the_overlays_that_are_tried(tmp_path: Path, place: str) -> None:
    """A wrong idea of where a plugin's paths count from would pass the test above."""
    parts = [(what, place, False) for what in (*FIELDS, *PLUGINS) if what != "configurations"]
    for path, text in overlay(parts).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    done = run([require(["kustomize"])["kustomize"], "build", tmp_path])
    assert all(f"x{number}" in done.stdout for number, _ in enumerate(parts))


UNKNOWN = {
    "a function": 'transformers: ["{apiVersion: example.com/v1, kind: Any, metadata: {name: a, annotations: '
    '{config.kubernetes.io/function: image}}}"]',
    "a builtin that is run as a function": 'transformers: ["{apiVersion: builtin, kind: LabelTransformer, metadata: '
    '{name: a, annotations: {config.kubernetes.io/function: image}}}"]',
    "an unknown builtin": "generators: [unknown.yaml]",
    "plugins that are patched first": "transformers: [patched]",
    "a chart": "helmCharts: [{name: a, valuesFile: values.yaml, additionalValuesFiles: [more.yaml]}]\n"
    "helmGlobals: {chartHome: all}",
    "a chart of a generator": 'generators: ["{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: '
    '{name: a}, name: a, chartHome: all, valuesFile: values.yaml, additionalValuesFiles: [more.yaml]}"]',
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_what_can_not_be_followed_makes_the_closure_incomplete(tree: Tree, text: str) -> None:
    write(
        tree,
        overlay__kustomization=text,
        overlay__unknown="{apiVersion: builtin, kind: FromTheFuture, metadata: {name: a}}",
        overlay__values="",
        overlay__more="",
        overlay__all__a__Chart="",
        overlay__patched__kustomization="resources: [one.yaml]\nnamePrefix: a",
        overlay__patched__one="{apiVersion: builtin, kind: LabelTransformer, metadata: {name: a}}",
    )
    closure = find_closure(tree, "overlay")
    assert not closure.complete
    if "chart" in text.lower():
        named = {"values.yaml", "more.yaml", "all/a/Chart.yaml"}
        assert named <= {path.removeprefix("overlay/") for path in closure.files}


def test_a_missing_file_of_a_plugin_is_named(tree: Tree) -> None:
    configuration = "{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: gone.yaml}"
    write(tree, overlay__kustomization="transformers: [a.yaml]", overlay__a=configuration)
    with pytest.raises(UserError, match=r"overlay/a.yaml:1: 'gone.yaml': no such file"):
        find_closure(tree, "overlay")


@pytest.mark.parametrize("inner", ["transformers: [../overlay]", "resources: [../overlay]"])
def test_plugins_that_refer_back_to_themselves_are_refused(tree: Tree, inner: str) -> None:
    write(tree, overlay__kustomization="transformers: [../inner]", inner__kustomization=inner)
    with pytest.raises(UserError, match="refers back to itself"):
        find_closure(tree, "overlay")


def test_a_build_that_can_not_be_followed_is_made_each_time(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool's plugin is none that kustomize runs here: only the key is looked at, and that a report is not kept."""
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tree.root / "cache"))
    monkeypatch.setattr("cartwright.tree.render._build", lambda _tree, _app, _closure, home: made.append(home))
    made: list[Path] = []
    write(tree, overlay__kustomization='helmCharts: [{name: a, repo: "oci://example.com"}]')
    for _ in range(2):
        (one,), _ = render(tree, [application("overlay")])
        assert isinstance(one, Rendered)
    assert len(set(made)) == 2


def test_a_report_that_read_more_than_the_content_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path))
    for lasting, calls in ((True, 1), (False, 2)):
        made: list[bool] = []

        def judge(*_args: object, lasting: bool = lasting, made: list[bool] = made, **_options: object) -> CheckReport:
            made.append(lasting)
            return CheckReport(Coverage(), (), lasting=lasting)

        monkeypatch.setattr("cartwright.check.judge.judge", judge)
        for _ in range(2):
            check(FolderTree(root=tmp_path / str(lasting)), apps=[str(lasting)])
        assert len(made) == calls
