"""What a person sees while `up` waits: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from rich.console import Console

from cartwright.cluster.progress import Progress, progress_table, summary
from cartwright.cluster.state import Layout, State
from cartwright.cluster.up import Outcome
from cartwright.cluster.wait import Snapshot
from cartwright.promotion.argo import AppState
from cartwright.tree.applications import Application

COMMIT = "c" * 40


def application(environment: str, path: str) -> Application:
    return Application(
        environment=environment,
        name=f"{environment}-{path.replace('/', '-')}",
        path=f"environments/{environment}/{path}" if "/" in path else f"clusters/{environment}",
        project=environment,
        cluster=environment,
        namespace="shop",
        source=f"argocd/applicationsets/{environment}.yaml",
    )


def status(name: str, sync: str = "Synced", health: str = "Healthy", message: str = "") -> AppState:
    created = datetime.now(UTC) - timedelta(seconds=75)
    return AppState(name, sync=sync, health=health, revision=COMMIT, trouble=message, created_at=created)


EXPECTED = (
    application("dev", "cluster"),
    application("dev", "shop/catalog"),
    application("prod", "cluster"),
    application("prod", "shop/catalog"),
    application("prod", "shop/orders"),
)


def snapshot(*statuses: AppState) -> Snapshot:
    return Snapshot(COMMIT, EXPECTED, {one.name: one for one in statuses}, 12.0)


def printed(renderable: object, *, width: int = 120) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(renderable)
    return [" ".join(line.split()) for line in stream.getvalue().splitlines()]


def test_the_table_has_a_row_per_app_and_a_column_per_environment() -> None:
    lines = printed(
        progress_table(
            snapshot(
                status("root"),
                status("dev-shop-catalog"),
                status("prod-shop-catalog", "OutOfSync", "Missing"),
                status("dev-cluster", "Synced", "Progressing"),
            )
        )
    )
    assert lines == [
        "2 of 6 Synced and Healthy at ccccccc, 12 s",
        "app dev prod",
        "cluster Synced Progressing 75s waiting",
        "shop/catalog Synced Healthy 75s OutOfSync Missing 75s",
        "shop/orders – waiting",
        "Argo CD root Synced Healthy 75s",
    ]


def test_elsewhere_than_on_a_terminal_only_changes_are_printed() -> None:
    stream = io.StringIO()
    with Progress(Console(file=stream, width=120)) as progress:
        progress.show(snapshot(status("root")))
        before = len(stream.getvalue().splitlines())
        progress.show(snapshot(status("root")))
        assert len(stream.getvalue().splitlines()) == before == 6
        progress.show(snapshot(status("root"), status("dev-shop-catalog", "OutOfSync", "Degraded")))
    assert [" ".join(line.split()) for line in stream.getvalue().splitlines()[before:]] == [
        "0 s dev-shop-catalog OutOfSync Degraded"
    ]


def test_the_summary_names_what_is_not_there_and_why_and_where_the_kubeconfigs_are() -> None:
    good = [status(name) for name in snapshot().names if name != "prod-shop-orders"]
    bad = status("prod-shop-orders", "Synced", "Degraded", "Deployment orders: exceeded quota")
    outcome = cast(
        "Outcome",
        SimpleNamespace(
            snapshot=snapshot(*good, bad),
            state=State(environments=("dev", "prod"), hub="dev"),
            stages={"processes": 4.2, "applications": 80.0},
        ),
    )
    layout = Layout(Path("/state"))
    assert printed(summary(outcome, layout)) == [
        "prod-shop-orders: Synced, Degraded: Deployment orders: exceeded quota",
        "5 of 6 Applications Synced and Healthy at ccccccc in dev, prod",
        "84 s: processes 4 s, applications 80 s; 0.0 GiB of memory",
        "git remote: file:///state/remote.git",
        "dev: export KUBECONFIG=/state/kubeconfig-dev.yaml",
        "prod: export KUBECONFIG=/state/kubeconfig-prod.yaml",
    ]
