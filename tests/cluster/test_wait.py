"""Waiting for Applications, with answers given by hand."""

from __future__ import annotations

from collections.abc import Mapping

from cartwright.cluster.wait import Snapshot, wait_for
from cartwright.promotion.argo import AppState
from cartwright.tree.applications import Application

COMMIT, OLD = "c" * 40, "0" * 40
CATALOG = Application(
    environment="dev",
    name="dev-shop-catalog",
    path="environments/dev/shop/catalog",
    project="dev",
    cluster="dev",
    namespace="shop",
    source="argocd/applicationsets/dev.yaml",
)


def status(
    name: str, sync: str = "Synced", health: str = "Healthy", revision: str = COMMIT, message: str = ""
) -> AppState:
    return AppState(name=name, sync=sync, health=health, revision=revision, trouble=message)


def waited(*answers: Mapping[str, AppState], timeout: float = 30) -> tuple[Snapshot, list[Snapshot]]:
    """Wait for the catalog in dev; each round is given the next answer, the last one again and again."""
    shown: list[Snapshot] = []
    remaining = list(answers)
    last = wait_for(
        [CATALOG],
        COMMIT,
        read=lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0],
        between=lambda: None,
        show=shown.append,
        timeout=timeout,
    )
    return last, shown


GOOD = {"root": status("root"), "dev-shop-catalog": status("dev-shop-catalog")}


def test_everything_synced_and_healthy_ends_the_wait_at_once() -> None:
    last, shown = waited(GOOD)
    assert last.unfinished == ()
    assert shown == [last]


def test_an_application_that_is_not_generated_yet_is_waited_for() -> None:
    last, shown = waited({"root": status("root")}, GOOD)
    assert [snapshot.unfinished for snapshot in shown] == [("dev-shop-catalog",), ()]
    assert shown[0].reason("dev-shop-catalog") == "not generated yet"
    assert last.unfinished == ()


def test_healthy_at_an_older_commit_is_not_enough() -> None:
    _, shown = waited({**GOOD, "dev-shop-catalog": status("dev-shop-catalog", revision=OLD)}, GOOD)
    assert shown[0].unfinished == ("dev-shop-catalog",)
    assert shown[0].reason("dev-shop-catalog") == "at 0000000, not yet at ccccccc"


def test_when_time_is_up_the_reason_is_in_argocds_own_words() -> None:
    refused = status("dev-shop-catalog", "OutOfSync", "Missing", message="Pod bad: violates PodSecurity")
    last, _ = waited({**GOOD, "dev-shop-catalog": refused}, timeout=0)
    assert last.unfinished == ("dev-shop-catalog",)
    assert last.reason("dev-shop-catalog") == "OutOfSync, Missing: Pod bad: violates PodSecurity"


def test_applications_that_nobody_expects_do_not_matter() -> None:
    last, _ = waited({**GOOD, "prod-shop-catalog": status("prod-shop-catalog", "OutOfSync", "Degraded")}, timeout=0)
    assert last.unfinished == ()
