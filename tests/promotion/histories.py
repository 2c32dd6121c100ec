"""Repositories whose history is written down: environments in any order, commits with fixed dates; no test waits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.history import WRITER, History, files_below
from benchmarks.synthetic import write_repository
from cartwright.history.pinned import Pinned
from cartwright.history.releasetree import render_kustomization
from cartwright.history.trailers import Message, Moved

APP = "shop/app-000"
BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""When every history begins: a Monday."""
CHAIN = {"dev": [], "staging": ["dev"], "prod": ["staging"]}


def minutes(count: float) -> datetime:
    """That long after the beginning."""
    return BEGIN + timedelta(minutes=count)


def digest(tag: str) -> str:
    """The digest of a release, of its tag alone."""
    return f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}"


def overlay_path(environment: str, app: str = APP) -> str:
    """Path of the kustomization that pins an app's images: the overlay's own in dev, elsewhere its release's."""
    return f"environments/{environment}/{app}/{'' if environment == 'dev' else 'release/'}kustomization.yaml"


def overlay(tag: str, app: str = APP, *, pinned: str | None = None, environment: str = "dev") -> str:
    """That kustomization at a release."""
    name = app.rpartition("/")[2]
    if environment != "dev":
        pin = Pinned(f"ghcr.io/example/cartwright/{name}", tag, pinned or digest(tag))
        return render_kustomization([f"apps/{app}"], [pin])
    return (
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources:\n  - ../../../../apps/{app}\n"
        f"images:\n  - name: ghcr.io/example/cartwright/{name}\n    newTag: {tag}\n"
        f"    digest: {pinned or digest(tag)}\n"
    )


def policy_files() -> dict[str, bytes]:
    """The policies of this repository, without their cases."""
    policies = Path(__file__).parents[2] / "policies"
    return {f"policies/{path}": text for path, text in files_below(policies).items() if not path.endswith("cases.yaml")}


class Shop:
    """A repository in the making; every method adds one commit."""

    def __init__(
        self,
        folder: Path,
        *,
        upstreams: Mapping[str, Sequence[str]] = CHAIN,
        gates: Mapping[str, Mapping[str, Any]] | None = None,
        apps: int = 2,
        tag: str = "1.0.0",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.root = folder / "repository"
        self.history = History()
        policies = folder / "no-policies"
        policies.mkdir(parents=True)
        files = files_below(write_repository(folder / "files", apps=apps, environments=[*upstreams], policies=policies))
        self.upstreams = upstreams
        for name in upstreams:
            files[f"environments/{name}/environment.yaml"] = self.environment(name, **(gates or {}).get(name, {}))
            for number in range(apps):
                app = f"shop/app-{number:03}"
                files[overlay_path(name, app)] = overlay(tag, app, environment=name)
        self.files = {**files, **(extra or {})}
        self.commit(self.files, at=BEGIN, message="Begin\n")

    def environment(self, name: str, **gates: Any) -> str:
        """An environment.yaml (JSON is YAML)."""
        ranks: dict[str, int] = {}
        for one in self.upstreams:
            ranks[one] = 1 + max((ranks[upstream] for upstream in self.upstreams[one]), default=0)
        return json.dumps(
            {
                "name": name,
                "cluster": name,
                "rank": ranks[name],
                "upstreams": list(self.upstreams[name]),
                "gates": {"soak": "0s", "health": False, "approvals": 0, "freezes": [], **gates},
                "podSecurity": "restricted",
            },
            indent=2,
        )

    def commit(self, files: Mapping[str, Any], *, at: datetime, message: str = "Edit\n", **more: Any) -> int:
        """Any change."""
        return self.history.commit(files, message=message, at=int(at.timestamp()), **more)

    def edit(self, environment: str, tag: str, *, at: datetime, app: str = APP, **more: Any) -> int:
        """A person writes a release into an overlay by hand."""
        return self.commit({overlay_path(environment, app): overlay(tag, app, environment=environment)}, at=at, **more)

    def folder_moved(self, folder: str, to: str) -> dict[str, Any]:
        """The change that moves a folder as it was in the beginning."""
        begun = {path: text for path, text in self.files.items() if path.startswith(f"{folder}/")}
        return {folder: None, **{to + path.removeprefix(folder): text for path, text in begun.items()}}

    def release(self, tag: str, *, at: datetime, apps: Sequence[str] = (APP,), environment: str = "dev") -> int:
        """A build sets its release in the first environment."""
        message = self.message(tag, environment, apps=apps)
        return self.commit(
            {overlay_path(environment, app): overlay(tag, app, environment=environment) for app in apps},
            at=at,
            message=message,
        )

    def promote(
        self, tag: str, source: str, target: str, *, at: datetime, apps: Sequence[str] = (APP,), **more: Any
    ) -> int:
        """The engine promotes a release; keywords of a message go into its trailers."""
        own = {key: more.pop(key) for key in list(more) if key in Message.__dataclass_fields__}
        own.setdefault("gates", {"upstream": "passed", "soak": "passed", "freeze": "passed"})
        message = self.message(tag, target, apps=apps, source=source, **own)
        files = {overlay_path(target, app): overlay(tag, app, environment=target) for app in apps}
        return self.commit(files, at=at, message=message, **more)

    def rollback(
        self, tag: str, environment: str, *, at: datetime, reason: str = "errors", until: datetime | None = None
    ) -> int:
        """The engine brings an earlier release back, and holds it where an end is given."""
        message = self.message(tag, environment, apps=[APP], rollback_reason=reason, until=until)
        return self.commit({overlay_path(environment): overlay(tag, environment=environment)}, at=at, message=message)

    @staticmethod
    def message(tag: str, target: str, *, apps: Sequence[str], source: str | None = None, **more: Any) -> str:
        """The engine's message."""
        moved = tuple(Moved(app=app, tags=(tag,), digests=(digest(tag),)) for app in apps)
        return Message(subject=f"Move {tag} to {target}", source=source, target=target, moved=moved, **more).render()

    def write(self, *, checkout: bool = True) -> dict[int, str]:
        """Write it all, and return the commits' ids by mark."""
        return self.history.write(self.root, checkout=checkout)


__all__ = ["APP", "BEGIN", "CHAIN", "WRITER", "Shop", "digest", "minutes", "overlay", "overlay_path"]
