"""What Argo CD says of an Application, read from its objects in the hub cluster.

The API server of the hub answers, so no Argo CD account is needed: a kubeconfig that may read Applications does.
"""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cartwright.kernel.errors import CartwrightError, ToolError
from cartwright.kernel.moments import parse_instant
from cartwright.kernel.run import run

__all__ = ["AppState", "HealthSource", "Hub", "NoHub", "UnknownHealthError", "parse_application"]

_NAMESPACE = "argocd"
_SECONDS = 10
"""How long the hub may take to answer: a person waits, and no answer is an answer too (blocked)."""

_FEW = 30


class UnknownHealthError(CartwrightError):
    """Argo CD can't be asked; the message says why."""

    exit_code = 1


@dataclass(frozen=True)
class AppState:
    """One Application as Argo CD last wrote it down."""

    name: str
    path: str = ""
    """Folder that it syncs from."""
    sync: str = "Unknown"
    """Synced, OutOfSync or Unknown."""
    health: str = "Unknown"
    """Healthy, Progressing, Degraded, Suspended, Missing or Unknown."""
    revision: str = ""
    """The commit that it was last compared with; empty where it never was."""
    images: tuple[str, ...] = ()
    """The images of its live objects, ``repository:tag@digest`` as the manifests state them."""
    created_at: datetime.datetime | None = None
    reconciled_at: datetime.datetime | None = None
    """When it was last compared."""
    phase: str = ""
    """Of the last sync: Running, Terminating, Succeeded, Failed or Error; empty where there was none."""
    synced_revision: str = ""
    """The commit of that sync."""
    finished_at: datetime.datetime | None = None
    """When that sync ended."""
    message: str = ""
    """Argo CD's words on that sync."""
    trouble: str = ""
    """Argo CD's words on why it is not Synced and Healthy, of its objects too; empty where it says nothing."""
    jobs: Mapping[str, str] = field(default_factory=dict)
    """Outcome of the Jobs and hooks of that sync by name: Running, Succeeded, Failed, Error."""
    history: tuple[tuple[str, datetime.datetime], ...] = ()
    """The syncs that it remembers (``revisionHistoryLimit`` of them): commit and time of each."""

    @property
    def is_good(self) -> bool:
        """Synced and Healthy."""
        return self.sync == "Synced" and self.health == "Healthy"

    @property
    def age_seconds(self) -> float:
        """Since the Application was created."""
        age = datetime.datetime.now(datetime.UTC) - self.created_at if self.created_at else datetime.timedelta()
        return max(0.0, age.total_seconds())


class HealthSource(Protocol):
    """Where the state of Applications comes from."""

    def read(self, names: Collection[str], /) -> Mapping[str, AppState]:
        """The Applications of these names that exist.

        Raises:
            UnknownHealthError: nobody can say.
        """


@dataclass(frozen=True)
class Hub:
    """The cluster that Argo CD runs in."""

    kubeconfig: Path | None = None
    """None: the embedded cluster's or the environment's, as :func:`cartwright.cluster.find.find_hub` says."""
    context: str | None = None
    """The kubeconfig's own by default."""

    def read(self, names: Collection[str], /) -> Mapping[str, AppState]:
        """See :class:`HealthSource`."""
        if not names:
            return {}
        options = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        options += [f"--context={self.context}"] if self.context else []
        # kubectl asks once per name; beyond some dozens the whole list is quicker.
        chosen = sorted(names) if len(names) <= _FEW else []
        try:
            command: list[str | Path] = [_kubectl(), *options, "get", "applications.argoproj.io", *chosen]
            command += [f"--namespace={_NAMESPACE}", f"--request-timeout={_SECONDS}s", "--output=json"]
            done = run([*command, "--ignore-not-found"], timeout=_SECONDS * 3)
            found = json.loads(done.stdout) if done.stdout.strip() else {}
        except (ToolError, ValueError) as error:
            raise UnknownHealthError(f"Argo CD can't be asked: {' '.join(str(error).split())}") from error
        items = found.get("items", [found] if found else [])
        return {state.name: state for state in map(parse_application, items) if state.name in names}


@dataclass(frozen=True)
class NoHub:
    """Nobody has said where Argo CD is."""

    def read(self, _: Collection[str], /) -> Mapping[str, AppState]:
        raise UnknownHealthError(
            "no cluster with Argo CD is known: run `cartwright up`, or give --kubeconfig and --context"
        )


def _kubectl() -> Path:
    found = shutil.which("kubectl")
    if found:
        return Path(found)
    from cartwright.tools import require

    return require(["kubectl"])["kubectl"]


def parse_application(content: Mapping[str, Any]) -> AppState:
    """An Application as its object in the hub says."""
    status = content.get("status") or {}
    sync = status.get("sync") or {}
    operation = status.get("operationState") or {}
    result = operation.get("syncResult") or {}
    health = str((status.get("health") or {}).get("status") or "Unknown")
    # Argo CD 3 writes no health of single resources down; the Application's own is the worst of them.
    jobs = {
        str(one.get("name")): {"Healthy": "Succeeded", "Degraded": "Failed"}.get(
            (one.get("health") or {}).get("status") or health, "Running"
        )
        for one in status.get("resources") or ()
        if one.get("kind") == "Job"
    }
    jobs |= {
        str(one.get("name")): str(one["hookPhase"])
        for one in result.get("resources") or ()
        if one.get("hookType") and one.get("hookPhase")
    }
    source = (content.get("spec") or {}).get("source") or {}
    return AppState(
        name=str(content["metadata"]["name"]),
        path=str(source.get("path") or ""),
        sync=str(sync.get("status") or "Unknown"),
        health=health,
        revision=str(sync.get("revision") or ""),
        images=tuple(map(str, (status.get("summary") or {}).get("images") or ())),
        created_at=parse_instant(str(content["metadata"].get("creationTimestamp") or "")),
        reconciled_at=parse_instant(str(status.get("reconciledAt") or "")),
        phase=str(operation.get("phase") or ""),
        synced_revision=str(result.get("revision") or ""),
        finished_at=parse_instant(str(operation.get("finishedAt") or "")),
        message=" ".join(str(operation.get("message") or "").split()),
        trouble=_trouble(status),
        jobs=jobs,
        history=tuple(
            (str(one.get("revision") or ""), time)
            for one in status.get("history") or ()
            if (time := parse_instant(str(one.get("deployedAt") or ""))) is not None
        ),
    )


def _trouble(status: Mapping[str, Any]) -> str:
    """Why an Application is not well: conditions, then the sync's own message, then what its objects say."""
    parts = [
        f"{condition['type']}: {condition['message']}"
        for condition in status.get("conditions") or ()
        if "Error" in condition["type"] or "Warning" in condition["type"]
    ]
    operation = status.get("operationState") or {}
    if operation.get("phase") in ("Failed", "Error", "Running"):
        failed = [
            f"{one.get('kind')} {one.get('name')}: {one.get('message')}"
            for one in (operation.get("syncResult") or {}).get("resources") or ()
            if one.get("status") == "SyncFailed" or one.get("hookPhase") in ("Failed", "Error")
        ]
        parts += failed or ([str(operation["message"])] if operation.get("message") else [])
    for one in status.get("resources") or ():
        health = one.get("health") or {}
        if health.get("status") in ("Degraded", "Missing", "Progressing"):
            parts.append(f"{one.get('kind')} {one.get('name')}: {health.get('message') or health['status']}")
        elif one.get("status") == "OutOfSync":
            parts.append(f"{one.get('kind')} {one.get('name')}: OutOfSync")
    return "; ".join(" ".join(part.split()) for part in dict.fromkeys(parts))
