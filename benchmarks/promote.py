"""Promotion in a large repository: 1,000 apps × 4 environments, 20,000 commits.

.venv/bin/python -m benchmarks.promote [--apps N] [--commits N] [--runs R]
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.history import History, files_below
from benchmarks.synthetic import write_repository
from cartwright.promotion.trailers import Message, Moved

__all__ = ["ENVIRONMENTS", "write_promoted_repository"]

ENVIRONMENTS = ("dev", "test", "staging", "prod")
_BEGIN = 1_735_689_600
"""Time of the first commit: 2025-01-01T00:00:00Z."""
_STEP = 600
"""Seconds between two commits."""


def write_promoted_repository(
    root: Path, *, apps: int, commits: int, environments: Sequence[str] = ENVIRONMENTS
) -> Path:
    """Write a repository in which releases have moved for a long time, and return its root.

    Each commit sets a new release in the first environment or promotes one to the next; which app moves is drawn, so
    at the end releases wait everywhere.
    """
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as folder:
        files = files_below(write_repository(Path(folder) / "files", apps=apps, environments=environments))
    for environment in environments[1:]:
        path = f"environments/{environment}/environment.yaml"
        files[path] = _text(files[path]).replace("soak: 0s", "soak: 10m")
    names = [f"app-{number:03}" for number in range(apps)]
    overlays = {
        (environment, name): _text(files[f"environments/{environment}/shop/{name}/kustomization.yaml"])
        for environment in environments
        for name in names
    }
    history = History()
    history.commit(files, message="Begin\n", at=_BEGIN)
    draw = random.Random(1)
    stage = dict.fromkeys(names, 0)
    minor = dict.fromkeys(names, 0)
    for number in range(1, commits):
        name = draw.choice(names)
        place = stage[name]
        minor[name] += place == 0
        stage[name] = (place + 1) % len(environments)
        tag = f"1.{minor[name]}.0"
        digest = release_digest(name, tag)
        environment = environments[place]
        text = _pinned(overlays[environment, name], tag, digest)
        source = environments[place - 1] if place else None
        message = Message(
            subject=f"Promote shop/{name} {tag} from {source} to {environment}" if source else f"{name} {tag}",
            source=source,
            target=environment,
            moved=(Moved(app=f"shop/{name}", tags=(tag,), digests=(digest,)),),
            gates={"upstream": "passed", "soak": "passed"} if source else {},
        )
        history.commit(
            {f"environments/{environment}/shop/{name}/kustomization.yaml": text},
            message=message.render(),
            at=_BEGIN + number * _STEP,
        )
    history.write(root)
    return root


def release_digest(name: str, tag: str) -> str:
    """The digest of a release that no build made."""
    return f"sha256:{hashlib.sha256(f'{name} {tag}'.encode()).hexdigest()}"


def _text(content: str | bytes | None) -> str:
    return content.decode() if isinstance(content, bytes) else content or ""


def _pinned(text: str, tag: str, digest: str) -> str:
    lines = []
    for line in text.splitlines():
        key = line.strip().partition(":")[0]
        value = {"newTag": tag, "digest": digest}.get(key)
        lines.append(f"{line.partition(':')[0]}: {value}" if value else line)
    return "\n".join(lines) + "\n"
