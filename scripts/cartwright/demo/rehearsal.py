"""What the demo changes in its clone before the curtain rises: gates of seconds, images of its own registry."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from cartwright.demo.imagestore import Registry
from cartwright.history.pinned import Pinned
from cartwright.history.releasetree import FOLDER, pins_file, render_kustomization
from cartwright.kernel.errors import UserError
from cartwright.tree.repository import open_tree

__all__ = ["APPS", "ENVIRONMENTS", "break_in_dev", "close_window", "edit", "open_window", "pin", "prepare"]

ENVIRONMENTS = ("dev", "staging", "prod")
APPS = ("catalog", "orders", "gateway")
_ZONE = "Europe/Berlin"
_WINDOW = "Sale"

_SMOKE = """\
# Fails: no node is in the pool that it asks for, and it has five seconds.
apiVersion: batch/v1
kind: Job
metadata:
  name: gateway-smoke
  labels: {app.kubernetes.io/name: gateway-smoke, app.kubernetes.io/component: test}
  annotations:
    argocd.argoproj.io/sync-wave: "1"
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 5
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels: {app.kubernetes.io/name: gateway-smoke, app.kubernetes.io/component: test}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      priorityClassName: cartwright-service
      nodeSelector: {cartwright.dev/pool: none}
      securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: smoke
          image: IMAGE
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, memory: 32Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
"""

_UNSCHEDULABLE = """\
- {op: add, path: /spec/template/spec/nodeSelector, value: {cartwright.dev/pool: none}}
- {op: replace, path: /spec/progressDeadlineSeconds, value: 20}
- {op: replace, path: /spec/template/spec/containers/0/startupProbe/failureThreshold, value: 5}
"""


def prepare(clone: Path, registry: Registry, digests: Mapping[str, str], *, keys: Mapping[str, str]) -> None:
    """Set the demo's gates, and let every environment run release 1.0.0 from the demo's registry.

    Args:
        clone: the demo's own, whose work tree is changed; nothing is committed.
        registry: where the images are.
        digests: of release 1.0.0 of each app.
        keys: content of ``environments/<name>`` files: public keys, and who may approve.
    """
    for name, content in keys.items():
        (clone / "environments" / name).write_text(content, encoding="utf-8")
    asked = {"health": True, "freezes": [], "registry": True, "signatures": {"key": "environments/cosign.pub"}}
    gates: Mapping[str, dict[str, Any]] = {
        "dev": {},
        "staging": {
            **asked,
            "soak": "30s",
            "verification": [
                {"apps": "shop/catalog", "job": "catalog-migration"},
                {"apps": "shop/gateway", "job": "gateway-smoke"},
            ],
        },
        "prod": {
            **asked,
            "soak": "10s",
            "approvals": {"count": 1, "from": "environments/APPROVERS", "signers": "environments/approvers.keys"},
        },
    }
    # It speaks of commits that the demo's history does not have.
    (clone / "environments/record.yaml").unlink(missing_ok=True)
    for environment in ENVIRONMENTS:
        with edit(clone / f"environments/{environment}/environment.yaml") as content:
            content["gates"] = {**content["gates"], **gates[environment]}
            content["policies"]["image-registry"]["registries"].append(f"{registry.host}/shop")
        for app in APPS:
            pin(clone, environment, app, source=registry.image(app), tag="1.0.0", digest=digests[app])


def break_in_dev(clone: Path, smoke: str) -> None:
    """Give dev what a bad release brings: orders asks for nodes that there are not, gateway's smoke test fails.

    Args:
        smoke: image of the smoke test, ``repository:tag@digest``.
    """
    with edit(_overlay(clone, "dev", "orders")) as content:
        content["patches"] = [{"target": {"kind": "Deployment", "name": "orders"}, "patch": _UNSCHEDULABLE}]
    with edit(_overlay(clone, "dev", "gateway")) as content:
        content["resources"].append("smoke.yaml")
    _overlay(clone, "dev", "gateway").with_name("smoke.yaml").write_text(
        _SMOKE.replace("IMAGE", smoke), encoding="utf-8"
    )


def open_window(clone: Path, environment: str, now: datetime.datetime) -> None:
    """Add a freeze window that is open now: it opened a few minutes ago and lasts two hours."""
    opened = now.astimezone(ZoneInfo(_ZONE)) - datetime.timedelta(minutes=5)
    with edit(clone / f"environments/{environment}/environment.yaml") as content:
        content["gates"]["freezes"] = [
            {
                "reason": _WINDOW,
                "schedule": f"{opened.minute} {opened.hour} * * *",
                "duration": "2h",
                "timeZone": _ZONE,
            }
        ]


def close_window(clone: Path, environment: str) -> None:
    """Take the window away again."""
    with edit(clone / f"environments/{environment}/environment.yaml") as content:
        content["gates"]["freezes"] = []


def pin(clone: Path, environment: str, app: str, *, source: str, tag: str, digest: str) -> str:
    """Pin another image of an app where its environment pins it; returns that file."""
    folder = _overlay(clone, environment, app).parent.relative_to(clone).as_posix()
    tree = open_tree(clone)
    file = pins_file(tree, folder)
    if file is None:
        raise UserError("has no kustomization.yaml", file=folder)
    with edit(clone / file) as content:
        image = content["images"][0]
        image.update(newName=source, newTag=tag, digest=digest)
    if file.startswith(f"{folder}/{FOLDER}/"):
        # As a promotion writes it, so that the same release has the same id everywhere.
        text = render_kustomization(content["resources"], [Pinned(image["name"], tag, digest, source)])
        (clone / file).write_text(text, encoding="utf-8")
    return file


@contextmanager
def edit(file: Path) -> Iterator[Any]:
    """A YAML file's content; written back, comments kept, when the block ends."""
    yaml = YAML()
    yaml.width = 1000
    content = yaml.load(file)
    yield content
    yaml.dump(content, file)


def _overlay(clone: Path, environment: str, app: str) -> Path:
    return clone / f"environments/{environment}/shop/{app}/kustomization.yaml"
