"""What Argo CD's cluster holds, judged and traced; environments compared by their objects and by Git's record."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.synthetic import write_repository
from cartwright.check.cached import check
from cartwright.check.hub import read_hub
from cartwright.kernel.findings import CheckReport
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

APPLICATIONSET = "argocd/prod.yaml"
OVERLAY = "environments/prod/shop/app-000/kustomization.yaml"
RELEASE = "environments/prod/shop/app-000/release/kustomization.yaml"


@pytest.fixture
def repository(tmp_path: Path, clean_cache: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One app in dev and prod that passes every check; the current folder."""
    root = write_repository(tmp_path / "repository", apps=1, environments=["dev", "prod"])
    monkeypatch.chdir(root)
    return root


def _edit(root: Path, file: str, old: str, new: str) -> int:
    """Replace a text that must be there; the line where it stands."""
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} holds no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def _check(root: Path, *, environments: tuple[str, ...] = ()) -> CheckReport:
    return check(open_tree(root), environments=environments)


def _found(report: CheckReport) -> list[tuple[str, str, int]]:
    return [(one.rule, one.file, one.line) for one in report.findings]


def _git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=Platform Team", "-c", "user.email=platform-team@example.com", "-c", "commit.gpgSign=false"]
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, env=env)


def test_an_application_is_what_its_applicationset_would_make(repository: Path) -> None:
    tree = open_tree(repository)
    [one] = [
        one for one in find_applications(tree, load_environments(tree)) if one.path == "environments/prod/shop/app-000"
    ]
    assert (one.generator, one.manifest["kind"]) == ("prod", "Application")
    assert one.manifest["metadata"]["name"] == "prod-shop-app-000"
    assert one.manifest["metadata"]["namespace"] == "argocd"
    assert one.manifest["spec"]["source"]["path"] == "environments/prod/shop/app-000"
    assert one.manifest["spec"]["destination"] == {"name": "prod", "namespace": "shop"}


def test_a_kustomization_that_the_roots_does_not_take_in_is_read_too(repository: Path) -> None:
    folder = repository / "argocd" / "install"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("resources: [settings.yaml]\n", encoding="utf-8")
    settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\n"
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    tree = open_tree(repository)
    hub = read_hub(tree, find_applications(tree, load_environments(tree)))
    assert [one.content["metadata"]["name"] for one in hub.objects].count("argocd-cm") == 1
    assert hub.failures == ()


def test_a_generated_applications_finding_stands_at_the_templates_line(repository: Path) -> None:
    line = _edit(repository, APPLICATIONSET, "targetRevision: refs/heads/main", "targetRevision: main")
    assert set(_found(_check(repository))) == {("target-revision-pinned", APPLICATIONSET, line)}


def test_a_wrong_applicationset_is_found_and_mended(repository: Path) -> None:
    line = _edit(repository, APPLICATIONSET, "missingkey=error", "missingkey=zero")
    assert _found(_check(repository)) == [("applicationset-missing-key", APPLICATIONSET, line)]
    _edit(repository, APPLICATIONSET, "missingkey=zero", "missingkey=error")
    assert _found(_check(repository)) == []


def test_argo_cds_folder_that_does_not_build_is_said(repository: Path) -> None:
    folder = repository / "argocd" / "install"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("resources: [missing.yaml]\n", encoding="utf-8")
    assert _found(_check(repository)) == [("render", "argocd/install/kustomization.yaml", 1)]


def test_environments_are_compared_though_only_one_is_asked_for(repository: Path) -> None:
    assert _found(_check(repository)) == []
    line = _edit(repository, OVERLAY, "count: 3", "count: 2")
    _edit(repository, OVERLAY.replace("prod", "dev"), "count: 1", "count: 3")
    [finding] = [one for one in _check(repository, environments=("prod",)).findings if "replicas" in one.rule]
    assert (finding.rule, finding.message) == (
        "replicas-not-below-upstream",
        "Deployment/app-000: keeps 2 pods, while dev keeps 3; raise replicas to 3",
    )
    assert line > 1


def test_a_change_upstream_is_compared_anew_though_the_environment_is_as_it_was(repository: Path) -> None:
    assert _found(_check(repository)) == []
    _edit(repository, OVERLAY.replace("prod", "dev"), "count: 1", "count: 4")
    assert "replicas-not-below-upstream" in {one.rule for one in _check(repository).findings}


def test_a_commit_alone_can_change_the_verdict(repository: Path) -> None:
    _git(repository, "init", "-q", "-b", "main")
    _git(repository, "add", "-A")
    _git(repository, "commit", "-q", "-m", "Begin")
    for path in (OVERLAY.replace("prod", "dev"), RELEASE):
        file = repository / path
        text = file.read_text(encoding="utf-8")
        start = text.index("sha256:")
        file.write_text(text[:start] + "sha256:" + "4c" * 32 + "\n", encoding="utf-8")
        if path != RELEASE:
            _git(repository, "commit", "-q", "-am", "A build")
    [finding, edited] = _check(repository).findings
    assert (edited.rule, edited.file) == ("release-edited", RELEASE)
    assert (finding.rule, finding.severity) == ("digest-matches-promotion-record", "warning")
    assert "is not what the record of prod says" in finding.message
    _git(repository, "commit", "-q", "-am", "Try it")
    [finding] = _check(repository).findings
    assert "for shop/app-000 by hand, past every gate" in finding.message
    trailers = "Promoted-From: dev\nPromoted-To: prod\nApp: shop/app-000\nRelease: 1.0.0\nDigest: sha256:" + "4c" * 32
    _git(repository, "commit", "-q", "--amend", "-m", f"Promote\n\n{trailers}")
    assert _found(_check(repository)) == []


def test_a_shallow_clone_is_told_that_it_cannot_be_compared_with_the_record(repository: Path, tmp_path: Path) -> None:
    _git(repository, "init", "-q", "-b", "main")
    for message in ("Begin", "Go on"):
        (repository / "NOTE").write_text(message, encoding="utf-8")
        _git(repository, "add", "-A")
        _git(repository, "commit", "-q", "-m", message)
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    [finding] = _check(tmp_path / "shallow").findings
    assert (finding.rule, finding.severity) == ("shallow-history", "warning")
    assert "fetch the whole history" in finding.message


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_one_environment_judged_alone_changes_nothing_about_argo_cds_own_objects(environment: str) -> None:
    """Which clusters serve customers follows from all environments, not from those that are asked about."""
    report = check(open_tree(find_root()), environments=[environment])
    assert report.findings == ()
