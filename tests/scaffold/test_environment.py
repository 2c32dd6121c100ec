"""``cartwright new environment``: another region or step by one command, judged like the others at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measure import cache_with_tools
from cartwright.kernel.errors import UserError
from cartwright.scaffold import NewEnvironment, make_environment, write_scaffold
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

REGION = NewEnvironment(name="prod-us", like="prod", after=("prod",), cluster="prod-us")
BREAK_GLASS = ("--break-glass", "platform-team: no cluster is there to ask")
APP = "shop/catalog"


@pytest.fixture
def fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This repository's newest commit with its history, to be changed at will; the current folder."""
    for name, value in cache_with_tools(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Platform Team")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "platform-team@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    root = tmp_path / "fork"
    subprocess.run(["git", "clone", "-q", "--no-local", find_root(), root], check=True, capture_output=True)
    monkeypatch.chdir(root)
    return root


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def cartwright(*words: str) -> str:
    command = [str(Path(sys.executable).with_name("cartwright")), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def begin(root: Path, wanted: NewEnvironment) -> None:
    write_scaffold(root, make_environment(root, wanted))
    git("add", "--all")
    git("commit", "-q", "-m", f"{wanted.name}: begin")


def tree(environment: str, app: str = APP) -> str:
    return git("rev-parse", f"HEAD:environments/{environment}/{app}/release")


def promote(source: str, target: str) -> None:
    cartwright("promote", APP, "--from", source, "--to", target, *BREAK_GLASS)


def test_the_command_alone_makes_an_environment_that_passes_every_check(fork: Path) -> None:
    said = cartwright("new", "environment", "prod-us", "--like", "prod", "--after", "prod").splitlines()
    assert said == [
        "created environments/prod-us/",
        "created clusters/prod-us/",
        "created argocd/applicationsets/prod-us.yaml",
        "created argocd/projects/prod-us.yaml",
        "changed .github/CODEOWNERS",
        "changed argocd/install/argocd-rbac-cm.yaml",
        "changed argocd/kustomization.yaml",
        "next: `make check`, review, commit; docs/daily-work.md says what a cluster of your own needs",
    ]
    assert git("diff", "--numstat").splitlines() == [
        "1\t0\t.github/CODEOWNERS",
        "1\t0\targocd/install/argocd-rbac-cm.yaml",
        "2\t0\targocd/kustomization.yaml",
    ]
    assert cartwright("check").startswith("0 errors, 0 warnings")
    assert "are current" in cartwright("policy", "build", "--check")
    git("add", "--all")
    git("commit", "-q", "-m", "prod-us: begin")
    assert cartwright("check").startswith("0 errors, 0 warnings")
    assert "in staging, prod, prod-us: all came through their gates" in cartwright("promote", "verify")
    names = {one.name for one in find_applications(open_tree(fork), load_environments(open_tree(fork)))}
    assert {name.replace("prod-us-", "prod-") for name in names if name.startswith("prod-us-")} == {
        name for name in names if name.startswith("prod-") and not name.startswith("prod-us-")
    }


def test_a_release_goes_through_two_regions_one_after_the_other(fork: Path) -> None:
    begin(fork, REGION)
    first = tree("prod")
    assert tree("prod-us") == first, "a region begins with what its upstream runs"
    promote("dev", "staging")
    promote("staging", "prod")
    assert (tree("prod") == tree("staging"), tree("prod") != first, tree("prod-us") == first) == (True, True, True)
    command = [
        str(Path(sys.executable).with_name("cartwright")),
        "promote",
        APP,
        "--from",
        "staging",
        "--to",
        "prod-us",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "can't promote from staging to prod-us (prod-us takes releases from prod)" in " ".join(done.stderr.split())
    promote("prod", "prod-us")
    assert tree("prod-us") == tree("prod")


def test_a_release_goes_to_two_regions_side_by_side(fork: Path) -> None:
    begin(fork, NewEnvironment(name="eu", like="prod", after=("staging",), cluster="eks-eu"))
    known = load_environments(open_tree(fork))
    assert (known["eu"].rank, known["eu"].upstreams, known["eu"].cluster) == (3, ("staging",), "eks-eu")
    first = tree("prod")
    promote("dev", "staging")
    promote("staging", "eu")
    assert (tree("eu"), tree("prod")) == (tree("staging"), first), "neither waits for the other"
    promote("staging", "prod")
    assert tree("prod") == tree("eu")


def test_a_cluster_may_have_a_name_of_its_own(fork: Path) -> None:
    begin(fork, NewEnvironment(name="eu", like="prod", after=("prod",), cluster="eks-eu"))
    applications = [
        one for one in find_applications(open_tree(fork), load_environments(open_tree(fork))) if one.environment == "eu"
    ]
    assert {(one.cluster, one.project) for one in applications} == {("eks-eu", "eu")}
    assert "clusters/eks-eu" in {one.path for one in applications}
    assert "  name: cluster-eks-eu\n" in (fork / "clusters/eks-eu/registration.yaml").read_text()
    assert "{name: eks-eu, namespace: shop}" in (fork / "argocd/projects/eu.yaml").read_text()


def test_what_main_says_is_what_an_environment_behind_dev_begins_with(fork: Path) -> None:
    begin(fork, NewEnvironment(name="qa", like="staging", after=("dev",), cluster="qa"))
    folder = fork / "environments/qa" / APP / "release" / "apps" / APP
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in (fork / "apps" / APP).iterdir()
    }
    dev = (fork / "environments/dev" / APP / "kustomization.yaml").read_text()
    (digest,) = (line.strip() for line in dev.splitlines() if "digest: " in line)
    assert digest in (fork / "environments/qa" / APP / "release/kustomization.yaml").read_text()
    assert "all came through their gates" in cartwright("promote", "verify")


def test_an_environment_that_begins_with_other_bytes_is_named(fork: Path) -> None:
    write_scaffold(fork, make_environment(fork, REGION))
    file = fork / "environments/prod-us" / APP / "release/apps" / APP / "deployment.yaml"
    file.write_text(file.read_text().replace("replicas: 1", "replicas: 7") + "# mine\n")
    git("add", "--all")
    git("commit", "-q", "-m", "prod-us: begin")
    command = [str(Path(sys.executable).with_name("cartwright")), "promote", "verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "prod ran another base then" in done.stdout


def test_bad_input_is_refused_before_anything_is_written(fork: Path) -> None:
    for change, message in (
        ({"name": "Prod"}, "'Prod' is no name for an environment"),
        ({"name": "staging"}, "environment 'staging' exists already"),
        ({"cluster": "prod"}, "cluster 'prod' is prod's"),
        ({"like": "prd"}, "no environment 'prd'"),
        ({"after": ("stagin",)}, "no environment 'stagin'"),
        ({"after": ()}, "prod takes releases from staging"),
        ({"like": "dev"}, "dev follows main"),
    ):
        with pytest.raises(UserError, match=message):
            make_environment(fork, replace(REGION, **change))  # type: ignore[arg-type]
    assert git("status", "--porcelain") == ""
