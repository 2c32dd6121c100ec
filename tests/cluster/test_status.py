"""How images read, and what the JSON of `cartwright status` holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cartwright.cluster.status import AppReport, ClusterReport
from cartwright.registry.reference import Reference, split_reference

_PART = st.text("abcxyz019-", min_size=1)
_REGISTRY = st.sampled_from(["ghcr.io", "localhost:5000", "docker.io"])


@given(_REGISTRY, st.lists(_PART, min_size=1, max_size=3), st.none() | _PART, st.none() | st.text("0af", min_size=1))
def test_an_image_is_split_into_name_tag_and_digest(
    registry: str, parts: list[str], tag: str | None, digest: str | None
) -> None:
    name = "/".join([registry, *parts])
    text = name + (f":{tag}" if tag else "") + (f"@sha256:{digest}" if digest else "")
    assert split_reference(text) == Reference(name=name, tag=tag, digest=f"sha256:{digest}" if digest else None)


def report(*, sync: str = "Synced", outdated: str = "", stopped: tuple[str, ...] = ()) -> ClusterReport:
    application = AppReport(
        name="dev-shop-catalog",
        environment="dev",
        app="shop/catalog",
        sync=sync,
        health="Healthy",
        revision="c" * 40,
        images=(Reference("ghcr.io/example/cartwright/catalog", "0.1.0", "sha256:ab"),),
        outdated=outdated,
        message="",
    )
    return ClusterReport(
        remote="file:///remote.git",
        commit="c" * 40,
        local_commit="d" * 40,
        uncommitted=2,
        stopped=stopped,
        applications=(application,),
    )


def test_good_means_synced_healthy_current_and_running() -> None:
    assert report().is_good
    assert not report(sync="OutOfSync").is_good
    assert not report(outdated="remote is at ddddddd").is_good
    assert not report(stopped=("etcd",)).is_good


def test_the_json_shape_is_kept() -> None:
    assert report().to_json() == {
        "version": 1,
        "good": True,
        "remote": {"url": "file:///remote.git", "commit": "c" * 40},
        "repository": {"commit": "d" * 40, "uncommitted": 2},
        "stopped": [],
        "applications": [
            {
                "name": "dev-shop-catalog",
                "environment": "dev",
                "app": "shop/catalog",
                "sync": "Synced",
                "health": "Healthy",
                "revision": "c" * 40,
                "images": [
                    {
                        "name": "ghcr.io/example/cartwright/catalog",
                        "tag": "0.1.0",
                        "digest": "sha256:ab",
                        "built_here": False,
                    },
                ],
                "outdated": None,
                "message": None,
            }
        ],
        "pods": [],
        "simulated": True,
    }
