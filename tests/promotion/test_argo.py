"""Reading Applications as Argo CD writes them, and finding the cluster that has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cartwright.cluster.find import find_hub
from cartwright.cluster.state import Layout, State
from cartwright.promotion.argo import Hub, UnknownHealthError, parse_application

APPLICATION: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "dev-shop-catalog", "namespace": "argocd"},
    "spec": {"source": {"path": "environments/dev/shop/catalog", "targetRevision": "refs/heads/main"}},
    "status": {
        "health": {"status": "Healthy", "lastTransitionTime": "2026-11-21T07:00:00Z"},
        "reconciledAt": "2026-11-21T07:30:00Z",
        "resources": [
            {"kind": "Deployment", "name": "catalog", "status": "Synced"},
            {"kind": "Job", "name": "seed", "status": "Synced"},
            {"kind": "Job", "name": "load", "status": "Synced", "health": {"status": "Degraded"}},
        ],
        "summary": {"images": ["ghcr.io/example/cartwright/catalog:1.5.0@sha256:" + "5" * 64]},
        "sync": {"status": "Synced", "revision": "a" * 40},
        "operationState": {
            "phase": "Succeeded",
            "message": "successfully synced\n(all tasks run)",
            "finishedAt": "2026-11-21T07:01:00Z",
            "syncResult": {
                "revision": "b" * 40,
                "resources": [
                    {"kind": "Deployment", "name": "catalog", "status": "Synced", "hookPhase": "Running"},
                    {"kind": "Job", "name": "catalog-migration", "hookType": "Sync", "hookPhase": "Succeeded"},
                ],
            },
        },
    },
}


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CARTWRIGHT_KUBECONFIG", "CARTWRIGHT_CONTEXT", "KUBECONFIG", "CARTWRIGHT_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def kubectl(tmp_path: Path, script: str) -> None:
    (tmp_path / "kubectl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
    (tmp_path / "kubectl").chmod(0o755)


def test_what_gates_ask_of_an_application_is_read_from_where_argo_cd_writes_it() -> None:
    state = parse_application(APPLICATION)
    assert (state.name, state.path) == ("dev-shop-catalog", "environments/dev/shop/catalog")
    assert (state.sync, state.health, state.phase) == ("Synced", "Healthy", "Succeeded")
    assert (state.revision, state.synced_revision) == ("a" * 40, "b" * 40)
    assert state.reconciled_at == datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    assert state.finished_at == datetime(2026, 11, 21, 7, 1, tzinfo=UTC)
    assert state.message == "successfully synced (all tasks run)"
    # Jobs without a health of their own go by the Application's, which is the worst of all; others are no Jobs.
    assert state.jobs == {"seed": "Succeeded", "load": "Failed", "catalog-migration": "Succeeded"}


def test_an_application_that_nobody_has_looked_at_is_unknown_in_all() -> None:
    state = parse_application({"metadata": {"name": "new"}})
    assert (state.sync, state.health, state.phase, state.revision) == ("Unknown", "Unknown", "", "")
    assert (state.reconciled_at, state.finished_at, state.images) == (None, None, ())


def test_one_name_or_several_are_asked_for_at_once(tmp_path: Path) -> None:
    kubectl(tmp_path, f"cat <<'EOF'\n{json.dumps({'kind': 'List', 'items': [APPLICATION]})}\nEOF")
    hub = Hub(kubeconfig=Path("hub.yaml"), context="hub")
    assert set(hub.read(["dev-shop-catalog", "dev-shop-web"])) == {"dev-shop-catalog"}
    kubectl(tmp_path, f"cat <<'EOF'\n{json.dumps(APPLICATION)}\nEOF")
    assert set(hub.read(["dev-shop-catalog"])) == {"dev-shop-catalog"}
    kubectl(tmp_path, "true")
    assert hub.read(["dev-shop-web"]) == {}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == (
        "--kubeconfig=hub.yaml --context=hub get applications.argoproj.io dev-shop-catalog dev-shop-web "
        "--namespace=argocd --request-timeout=10s --output=json --ignore-not-found"
    )
    assert hub.read([]) == {} and len(asked) == 3, "nothing is asked for nothing"


@pytest.mark.parametrize("script", ["echo 'connection refused' >&2; exit 1", "echo '{'"], ids=["refused", "garbage"])
def test_a_cluster_that_gives_no_answer_is_unknown(tmp_path: Path, script: str) -> None:
    kubectl(tmp_path, script)
    with pytest.raises(UnknownHealthError, match="Argo CD can't be asked: "):
        Hub().read(["dev-shop-catalog"])


def test_the_first_place_that_is_given_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownHealthError, match=r"no cluster with Argo CD is known: run `cartwright up`"):
        find_hub(tmp_path).read(["x"])
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    assert find_hub(tmp_path) == Hub()
    state = tmp_path / ".cartwright"
    State(environments=("dev",), hub="dev").save(Layout(root=state))
    (state / "kubeconfig-dev.yaml").touch()
    assert find_hub(tmp_path) == Hub(kubeconfig=state / "kubeconfig-dev.yaml")
    assert find_hub(tmp_path, context="other") == Hub(context="other")
    monkeypatch.setenv("CARTWRIGHT_KUBECONFIG", "/hub.yaml")
    assert find_hub(tmp_path) == Hub(kubeconfig=Path("/hub.yaml"))
    assert find_hub(tmp_path, kubeconfig=Path("/mine.yaml")) == Hub(kubeconfig=Path("/mine.yaml"))
