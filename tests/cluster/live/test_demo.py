"""What the promotion demo brings to the cluster is taken there; `make demo-promotion` plays it in whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.demo.rehearsal import break_in_dev
from cartwright.tree.names import read_names
from cartwright.tree.repository import open_tree
from tests.cluster.sandbox import Sandbox

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("app", "brought"), [("orders", "deployment.apps/orders"), ("gateway", "job.batch/gateway-smoke")]
)
def test_admission_takes_the_demos_bad_releases(cluster: Sandbox, tmp_path: Path, app: str, brought: str) -> None:
    for folder in ("apps", "environments"):
        shutil.copytree(cluster.repository / folder, tmp_path / folder)
    registry = read_names(open_tree(cluster.repository)).registry
    break_in_dev(tmp_path, f"{registry}/smoke:1.0.0@sha256:{'1' * 64}")
    overlay = tmp_path / f"environments/dev/shop/{app}"
    words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", f"--kustomize={overlay}")
    done = cluster.kubectl("dev", *words)
    assert done.returncode == 0, done.stderr
    assert f"{brought} serverside-applied (server dry run)" in done.stdout
