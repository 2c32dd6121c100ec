"""What `up` makes of the root, and what it reads out of an Application."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from cartwright.cluster.argocd import Webhook, root_objects
from cartwright.cluster.certificates import Authority
from cartwright.kernel.errors import UserError
from cartwright.promotion.argo import parse_application as read_one
from cartwright.tools import require
from cartwright.tree import mirrors
from cartwright.tree.names import read_names
from cartwright.tree.repository import FolderTree, open_tree
from tests.cluster.sandbox import ROOT

REMOTE = "file:///somewhere/remote.git"
OWN = f"{read_names(open_tree(ROOT)).repository}.git"


@pytest.fixture(scope="module")
def webhook(tmp_path_factory: pytest.TempPathFactory) -> Webhook:
    """Where Gatekeeper answers."""
    return Webhook(port=20443, authority=Authority.open(tmp_path_factory.mktemp("pki"), "ca"))


def objects(clusters: tuple[str, ...], webhooks: Mapping[str, Webhook] = MappingProxyType({})) -> list[dict[str, Any]]:
    return root_objects(
        FolderTree(ROOT),
        require(["kustomize"])["kustomize"],
        url=REMOTE,
        hub="dev",
        clusters=clusters,
        webhooks=webhooks,
        environment=mirrors.environment(),
    )


def synced(
    tmp_path: Path, clusters: tuple[str, ...], webhooks: Mapping[str, Webhook] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """What Argo CD's kustomize makes of the root with the patches that `up` gives it."""
    root = next(one for one in objects(clusters, webhooks) if one["kind"] == "Application")
    patches = root["spec"]["source"]["kustomize"]["patches"]
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["argocd"], "patches": patches}), encoding="utf-8"
    )
    if not (tmp_path / "argocd").exists():
        subprocess.run(["cp", "-r", ROOT / "argocd", tmp_path / "argocd"], check=True)
    kustomize = require(["kustomize"])["kustomize"]
    done = subprocess.run([kustomize, "build", tmp_path], capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_no_object_that_is_synced_or_applied_names_the_repositorys_own_url(tmp_path: Path) -> None:
    everything = [*synced(tmp_path, ("dev", "staging", "prod")), *objects(("dev", "staging", "prod"))]
    applied = [
        {**one, "spec": {**one["spec"], "source": {**one["spec"]["source"], "kustomize": None}}}
        if one["kind"] == "Application"
        else one
        for one in everything
    ]
    text = yaml.safe_dump_all(applied)
    assert OWN not in text
    assert text.count(REMOTE) >= 3 * 3  # per environment: its project, its generators, its template


def test_the_rest_of_what_is_synced_stays_as_it_is_in_git(tmp_path: Path) -> None:
    kustomize = require(["kustomize"])["kustomize"]
    plain = subprocess.run([kustomize, "build", ROOT / "argocd"], capture_output=True, text=True, check=True).stdout
    expected = [one for one in yaml.safe_load_all(plain.replace(OWN, REMOTE)) if one]
    assert synced(tmp_path, ("dev", "staging", "prod")) == expected


def test_applicationsets_of_clusters_that_do_not_run_are_left_out(tmp_path: Path) -> None:
    names = {one["metadata"]["name"] for one in synced(tmp_path, ("dev",)) if one["kind"] == "ApplicationSet"}
    assert names == {"dev"}


def test_the_application_of_gatekeeper_alone_is_told_where_its_process_answers(
    tmp_path: Path, webhook: Webhook
) -> None:
    found = synced(tmp_path, ("dev", "prod"), {"prod": webhook})
    templates = {
        one["metadata"]["name"]: one["spec"].get("templatePatch") for one in found if "generators" in one["spec"]
    }
    assert templates["dev"] is None
    text = templates["prod"]
    condition, otherwise = '{{ if eq .path.basename "gatekeeper" }}', "{{ else }}{}{{ end }}"
    assert text.startswith(condition)
    assert text.endswith(otherwise)
    application = json.loads(text.removeprefix(condition).removesuffix(otherwise))
    (patch,) = application["spec"]["source"]["kustomize"]["patches"]
    (tmp_path / "webhook").mkdir()
    (tmp_path / "webhook" / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["webhook.yaml"], "patches": [patch]}), encoding="utf-8"
    )
    source = ROOT / "apps" / "platform" / "gatekeeper" / "webhook.yaml"
    (tmp_path / "webhook" / "webhook.yaml").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    kustomize = require(["kustomize"])["kustomize"]
    built = subprocess.run([kustomize, "build", tmp_path / "webhook"], capture_output=True, text=True, check=True)
    before, after = (yaml.safe_load(text) for text in (source.read_text(encoding="utf-8"), built.stdout))
    assert [one["clientConfig"] for one in after["webhooks"]] == [webhook.client_config] * len(before["webhooks"])
    for one in (*before["webhooks"], *after["webhooks"]):
        del one["clientConfig"]
    assert after == before


def test_the_root_goes_to_the_hub_by_name() -> None:
    project, root = objects(("dev",))
    assert root["spec"]["destination"] == {"name": "dev", "namespace": "argocd"}
    assert project["spec"]["destinations"] == [{"name": "dev", "namespace": "argocd"}]


def test_a_root_file_without_an_application_is_named(tmp_path: Path) -> None:
    (tmp_path / "argocd").mkdir()
    (tmp_path / "argocd" / "root.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    with pytest.raises(UserError, match=r"^argocd/root.yaml: holds no Application with a spec.source.repoURL$"):
        root_objects(
            FolderTree(tmp_path), Path("kustomize"), url=REMOTE, hub="dev", clusters=(), webhooks={}, environment={}
        )


def application(**status: Any) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"metadata": {"name": "dev-shop-catalog", "creationTimestamp": now}, "status": status}


def test_a_fresh_application_is_unknown_and_has_nothing_to_say() -> None:
    found = read_one(application())
    assert (found.sync, found.health, found.revision, found.trouble) == ("Unknown", "Unknown", "", "")
    assert not found.is_good
    assert found.age_seconds < 60


def test_a_refused_object_is_quoted_with_its_kind_and_name() -> None:
    found = read_one(
        application(
            sync={"status": "OutOfSync", "revision": "a" * 40},
            operationState={
                "phase": "Failed",
                "message": "one or more objects failed to apply",
                "syncResult": {
                    "resources": [
                        {
                            "kind": "Service",
                            "name": "catalog",
                            "status": "Synced",
                            "message": "service/catalog created",
                        },
                        {"kind": "Pod", "name": "bad", "status": "SyncFailed", "message": "violates\n PodSecurity"},
                    ]
                },
            },
        )
    )
    assert found.trouble == "Pod bad: violates PodSecurity"


def test_a_degraded_object_and_a_condition_are_quoted() -> None:
    found = read_one(
        application(
            conditions=[{"type": "ComparisonError", "message": "kustomize build failed"}],
            resources=[
                {"kind": "Deployment", "name": "web", "health": {"status": "Degraded", "message": "no quota"}},
                {"kind": "Service", "name": "web", "health": {"status": "Healthy"}, "status": "Synced"},
                {"kind": "ConfigMap", "name": "web", "status": "OutOfSync"},
            ],
        )
    )
    assert found.trouble == (
        "ComparisonError: kustomize build failed; Deployment web: no quota; ConfigMap web: OutOfSync"
    )
