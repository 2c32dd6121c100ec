"""`cartwright check` on a small repository: each mistake is found by its own rule, at the line that made it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest

from cartwright.check.cached import check
from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import CheckReport
from cartwright.tree.repository import open_tree

pytestmark = pytest.mark.slow

OVERLAY = "environments/dev/shop/app-000/kustomization.yaml"
DEPLOYMENT = "apps/shop/app-000/deployment.yaml"


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace a text that must be there."""
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} holds no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(root: Path, file: str, text: str) -> None:
    with (root / file).open("a", encoding="utf-8") as stream:
        stream.write(text)


def run_check(root: Path) -> CheckReport:
    return check(open_tree(root))


def found(root: Path) -> list[tuple[str, str, int]]:
    """Rule, file and line of each finding."""
    return [(one.rule, one.file, one.line) for one in run_check(root).findings]


def line_of(root: Path, file: str, text: str) -> int:
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_a_sound_repository_has_no_findings_and_states_its_coverage(repository: Path) -> None:
    report = run_check(repository)
    assert report.findings == ()
    seen = report.coverage
    # Deployment, Service, ServiceAccount, ConfigMap, NetworkPolicy; in prod a PodDisruptionBudget; and a Namespace with
    # a NetworkPolicy per cluster. In the hub the root, an ApplicationSet per environment, the Applications, and a
    # project for the root and for each environment.
    assert (seen.environments, seen.overlays, seen.objects) == (2, 6, 2 * 5 + 2 * 6 + 2 * 2 + 1 + 2 + 6 + 3)
    assert seen.rules == len(list((repository / "policies" / "rules").iterdir()))
    assert seen.files > 20


def test_the_second_verdict_comes_from_the_cache_and_is_equal(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(repository, OVERLAY, "    newTag: 1.0.0\n", "")
    first = run_check(repository)
    monkeypatch.setattr("cartwright.kernel.run.subprocess", None)  # whatever started a program now would fail
    assert run_check(repository) == first


def test_a_change_is_judged_and_the_rest_is_taken_from_the_cache(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_check(repository)
    built: list[str] = []
    from cartwright.tree import render

    real = render.run
    monkeypatch.setattr(render, "run", lambda args, **options: (built.append(str(args[-1])), real(args, **options))[1])
    edit(repository, OVERLAY, "newTag: 1.0.0", "newTag: 1.0.1")
    assert run_check(repository).findings == ()
    assert built == ["environments/dev/shop/app-000"]


def test_an_overlay_with_a_missing_base(repository: Path) -> None:
    edit(repository, OVERLAY, "apps/shop/app-000", "apps/shop/gone")
    assert found(repository) == [("render", OVERLAY, line_of(repository, OVERLAY, "gone"))]


def test_a_yaml_syntax_error_is_found_where_it_stands(repository: Path) -> None:
    append(repository, OVERLAY, "labels: [\n")
    line = len((repository / OVERLAY).read_text(encoding="utf-8").splitlines()) + 1
    assert ("render", OVERLAY, line) in found(repository)


def test_a_syntax_error_in_a_base_is_found_in_the_base(repository: Path) -> None:
    edit(repository, DEPLOYMENT, "  replicas: 1\n", "  replicas: [1\n")
    assert {(rule, file) for rule, file, _ in found(repository)} >= {("render", DEPLOYMENT), ("yamllint", DEPLOYMENT)}


@pytest.mark.parametrize(
    "value",
    ["[" * 30_000 + "]" * 30_000, "&a [*a]"],
    ids=["too deep", "an alias of itself"],
)
def test_a_source_that_no_parser_should_be_given_is_told_at_its_line(repository: Path, value: str) -> None:
    append(repository, DEPLOYMENT, f"bomb: {value}\n")
    line = line_of(repository, DEPLOYMENT, "bomb: ")
    assert {("render", DEPLOYMENT, line), ("yamllint", DEPLOYMENT, line)} <= set(found(repository))


def test_a_duplicate_key(repository: Path) -> None:
    append(repository, OVERLAY, "namespace: other\n")
    line = line_of(repository, OVERLAY, "namespace: other")
    assert ("yamllint", OVERLAY, line) in found(repository)
    assert ("render", OVERLAY, line) in found(repository)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("images:\n  - name: nobody/uses-this\n    newTag: '1'\n", "no container has the image 'nobody/uses-this'"),
        (
            "patches:\n  - target: {kind: Deployment, name: absent}\n"
            "    patch: |\n      - {op: remove, path: /spec/replicas}\n",
            "no object matches the target (kind Deployment, name absent)",
        ),
    ],
    ids=["image", "patch"],
)
def test_an_entry_that_matches_nothing(repository: Path, entry: str, message: str) -> None:
    key = entry.split(":", maxsplit=1)[0]
    base = "apps/shop/app-000/kustomization.yaml"
    append(repository, base, entry)
    findings = run_check(repository).findings
    assert [(one.rule, one.file) for one in findings] == [("idle-entry", base)]
    assert findings[0].message.startswith(f"{key}[0] changes nothing: {message};")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("environments/dev/platform/gatekeeper/parameters", []), ("environments/dev/platform/gatekeeper/others", [5])],
    ids=["parameters", "another component"],
)
def test_only_the_parameters_of_gatekeeper_may_patch_what_a_release_lacks(
    repository: Path, folder: str, expected: list[int]
) -> None:
    component = repository / folder / "kustomization.yaml"
    component.parent.mkdir(parents=True)
    component.write_text(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n"
        "  # No release has this rule yet.\n"
        "  - target: {group: constraints.gatekeeper.sh, kind: CartwrightRule, name: new-rule}\n"
        "    patch: |\n      - {op: add, path: /spec/parameters/minimum, value: 3}\n",
        encoding="utf-8",
    )
    edit(repository, OVERLAY, "components:\n", f"components:\n  - ../../../../{folder}\n")
    findings = [one for one in run_check(repository).findings if one.rule == "idle-entry"]
    assert [(one.file, one.line) for one in findings] == [(f"{folder}/kustomization.yaml", line) for line in expected]


def test_a_replicas_entry_that_matches_nothing_fails_the_build_where_it_stands(repository: Path) -> None:
    edit(repository, OVERLAY, "replicas:\n  - name: app-000", "replicas:\n  - name: absent")
    assert found(repository) == [("render", OVERLAY, 1)]


def test_a_patch_that_deletes_its_target_is_not_idle(repository: Path) -> None:
    append(
        repository,
        OVERLAY,
        "patches:\n  - target: {kind: Service, name: app-000}\n"
        "    patch: |\n      $patch: delete\n      kind: Service\n      apiVersion: v1\n"
        "      metadata: {name: app-000}\n",
    )
    assert [rule for rule, _, _ in found(repository)] == []


def test_an_unknown_field_is_found_in_the_base_that_has_it(repository: Path) -> None:
    edit(repository, DEPLOYMENT, "  replicas: 1\n", "  replicsa: 1\n")
    assert ("schema", DEPLOYMENT, line_of(repository, DEPLOYMENT, "replicsa")) in found(repository)


def test_a_value_of_a_wrong_type_that_a_patch_sets_is_found_in_the_patch(repository: Path) -> None:
    append(
        repository,
        OVERLAY,
        "patches:\n  - target: {kind: Deployment, name: app-000}\n    patch: |\n"
        "      apiVersion: apps/v1\n      kind: Deployment\n      metadata: {name: app-000}\n"
        "      spec:\n        minReadySeconds: soon\n",
    )
    assert found(repository) == [("schema", OVERLAY, line_of(repository, OVERLAY, "minReadySeconds"))]


def test_one_object_in_two_overlays_is_found_once_per_cluster(repository: Path) -> None:
    # kustomize may only read files below its own folder, so the second owner holds a copy.
    copy = repository / "environments/dev/shop/app-001/serviceaccount.yaml"
    copy.write_text(
        (repository / "apps/shop/app-000/serviceaccount.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    edit(
        repository,
        "environments/dev/shop/app-001/kustomization.yaml",
        "resources:\n",
        "resources:\n  - serviceaccount.yaml\n",
    )
    findings = run_check(repository).findings
    assert [(one.rule, one.file) for one in findings] == [
        ("duplicate-object", "environments/dev/shop/app-001/serviceaccount.yaml")
    ]
    assert findings[0].message == (
        "ServiceAccount shop/app-000 is in Application dev-shop-app-000 as well as in dev-shop-app-001; keep it in one"
    )


def test_an_overlay_that_no_applicationset_reaches(repository: Path) -> None:
    stray = repository / "environments" / "dev" / "stray" / "kustomization.yaml"
    stray.parent.mkdir()
    stray.write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", encoding="utf-8")
    assert found(repository) == [("unreached-overlay", "environments/dev/stray/kustomization.yaml", 1)]


def test_a_component_that_new_apps_would_begin_with_and_that_is_missing(repository: Path) -> None:
    file = "environments/dev/environment.yaml"
    with (repository / file).open("a", encoding="utf-8") as content:
        content.write('overlays:\n  - apps: "*"\n    components:\n      - apps/components/labels\n')
    assert found(repository) == []
    edit(repository, file, "components/labels", "components/label")
    assert found(repository) == [("missing-component", file, line_of(repository, file, "components/label"))]


def test_a_missing_digest_is_found_at_the_image_entry(repository: Path) -> None:
    text = (repository / OVERLAY).read_text(encoding="utf-8")
    digest = text[text.index("    digest:") :]
    edit(repository, OVERLAY, digest, "")
    assert found(repository) == [("pinned-image", OVERLAY, line_of(repository, OVERLAY, "images:") + 1)]


def test_a_finding_of_a_base_is_listed_once_for_all_environments(repository: Path) -> None:
    edit(repository, DEPLOYMENT, "            readOnlyRootFilesystem: true\n", "")
    findings = run_check(repository).findings
    assert [(one.rule, one.file) for one in findings] == [("read-only-root-filesystem", DEPLOYMENT)]


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("upstreams: [dev]", "upstream: [dev]", "unknown key 'upstream' (did you mean 'upstreams'?)", 4),
        ("upstreams: [dev]", "upstreams: [dve]", "no environment 'dve' (did you mean 'dev'?)", 4),
        ("name: prod", "name: prd", "name is 'prd', its folder is 'prod' (make them the same)", None),
    ],
    ids=["typo in a key", "unknown upstream", "another name than its folder"],
)
def test_a_mistake_in_environment_yaml(repository: Path, old: str, new: str, message: str, line: int | None) -> None:
    file = "environments/prod/environment.yaml"
    edit(repository, file, old, new)
    with pytest.raises(UserError) as caught:
        run_check(repository)
    assert str(caught.value) == f"{file}:{line}: {message}" if line else f"{file}: {message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"environments": ["prd"]}, "no environment 'prd' (did you mean 'prod'?)"),
        ({"apps": ["ap-000"]}, "no app 'ap-000' (did you mean 'app-000'?)"),
    ],
    ids=["environment", "app"],
)
def test_an_unknown_name_on_the_command_line_names_the_nearest(
    repository: Path, options: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        check(open_tree(repository), **options)
    assert str(caught.value) == message


def test_only_the_named_app_is_reported(repository: Path) -> None:
    edit(repository, OVERLAY, "    newTag: 1.0.0\n", "")
    assert check(open_tree(repository), apps=["app-001"]).findings == ()
    assert [one.rule for one in check(open_tree(repository), apps=["shop/app-000"]).findings] == ["pinned-image"]


def command(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("cartwright")
    return subprocess.run(
        [program, "check", *args], cwd=cwd, capture_output=True, text=True, check=False, env=os.environ
    )


def test_exit_codes_and_streams(repository: Path) -> None:
    sound = command(cwd=repository)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert sound.stdout.startswith("0 errors, 0 warnings in 6 overlays of 2 environments: ")
    edit(repository, DEPLOYMENT, "            readOnlyRootFilesystem: true\n", "")
    broken = command(cwd=repository)
    assert (broken.returncode, broken.stderr) == (1, "")
    # The field is missing, so the line is that of the parent it belongs into: the container's own securityContext.
    lines = (repository / DEPLOYMENT).read_text(encoding="utf-8").splitlines()
    line = max(number for number, text in enumerate(lines, start=1) if "securityContext:" in text)
    assert broken.stdout.startswith(f"{DEPLOYMENT}:{line}: error: read-only-root-filesystem: ")
    outside = command(cwd=repository.parent)
    assert (outside.returncode, outside.stdout) == (2, "")
    assert "no argocd/root.yaml here or in a folder above (run it inside the repository)" in outside.stderr


def test_every_format_carries_the_same_finding(repository: Path) -> None:
    edit(repository, DEPLOYMENT, "            readOnlyRootFilesystem: true\n", "")
    data = json.loads(command("--format", "json", cwd=repository).stdout)
    assert set(data) == {"version", "evaluated", "findings"}
    assert data["version"] == 1
    (finding,) = data["findings"]
    assert set(finding) == {"rule", "severity", "message", "resource", "file", "line"}
    assert finding["resource"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "app-000",
    }
    place = (finding["file"], finding["line"])
    sarif = json.loads(command("--format", "sarif", cwd=repository).stdout)["runs"][0]["results"][0]
    physical = sarif["locations"][0]["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == place
    assert sarif["ruleId"] == finding["rule"]
    case = XML.fromstring(command("--format", "junit", cwd=repository).stdout).find("testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == (finding["rule"], f"{place[0]}:{place[1]}")
    github = command("--format", "github", cwd=repository).stdout
    assert github.startswith(f"::error file={place[0]},line={place[1]},title={finding['rule']}::")


def test_a_git_ref_is_checked_without_touching_the_work_tree(repository: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "sound"]):
        subprocess.run([*git, *step], cwd=repository, check=True)
    edit(repository, OVERLAY, "apps/shop/app-000", "apps/shop/gone")
    assert command("--ref", "HEAD", cwd=repository).returncode == 0
    assert command(cwd=repository).returncode == 1
    unknown = command("--ref", "nowhere", cwd=repository)
    assert (unknown.returncode, unknown.stderr) == (2, "error: no commit 'nowhere' in this repository\n")


def test_overlays_that_say_the_same_are_built_once_and_reported_each_at_its_own_place(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartwright.tree import render

    prod = "environments/prod/shop/app-000/kustomization.yaml"
    text = (repository / OVERLAY).read_text(encoding="utf-8").replace("    newTag: 1.0.0\n", "")
    for file in (OVERLAY, prod):
        (repository / file).write_text(text, encoding="utf-8")
    built: list[str] = []
    real = render.run
    monkeypatch.setattr(render, "run", lambda args, **options: (built.append(str(args[-1])), real(args, **options))[1])
    pinned = [file for rule, file, _ in found(repository) if rule == "pinned-image"]
    assert pinned == [OVERLAY, prod]
    assert len([path for path in built if path.endswith("app-000")]) == 1
