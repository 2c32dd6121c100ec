"""Promotion in a large repository: 1,000 apps × 4 environments, 20,000 commits.

    .venv/bin/python -m benchmarks.promote [--apps N] [--commits N] [--runs R]

One promotion with its push is measured against the `git commit` and `git push` of the same edit, in turn, in two clones
with a remote each: on the same disk, and behind a connection that takes a fifth of a second to open, as one over SSH
does; a promotion opens two, as it asks for the newest commit first. The record of what ran is in the cache, as on a
machine that promotes every day; the line of the matrix says what reading it for the first time takes. Python's compiled
modules are cached, as they are wherever nobody turns that off.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.history import History, files_below
from benchmarks.measure import cache_with_tools, seconds, side_by_side
from benchmarks.synthetic import write_repository
from cartwright.history.trailers import Message, Moved

__all__ = ["ENVIRONMENTS", "release_digest", "write_promoted_repository"]

_CARTWRIGHT = str(Path(sys.executable).with_name("cartwright"))
_SET = 50
_CONNECT = 0.2
"""Seconds that opening a connection takes."""

ENVIRONMENTS = ("dev", "test", "staging", "prod")
_BEGIN = 1_735_689_600
"""Time of the first commit: 2025-01-01T00:00:00Z."""
_STEP = 600
"""Seconds between two commits."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as name:
        folder = Path(name)
        began = time.perf_counter()
        root = write_promoted_repository(folder / "repository", apps=options.apps, commits=options.commits)
        print(
            f"{options.apps} apps × {len(ENVIRONMENTS)} environments, {options.commits} commits "
            f"(made in {time.perf_counter() - began:.0f} s)"
        )
        os.environ.update(cache_with_tools(folder / "cache"))
        os.environ.update({"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")})
        _measure(root, folder, options.runs)


def _measure(root: Path, folder: Path, runs: int) -> None:
    ours, plain = (_clone(root, folder, name) for name in ("ours", "plain"))
    cold = seconds([_CARTWRIGHT, "promote", "matrix"], cwd=ours)
    warm = statistics.median(seconds([_CARTWRIGHT, "promote", "matrix"], cwd=ours) for _ in range(3))
    print(f"matrix of everything               {warm:7.2f} s   the first time {cold:.2f} s")
    steps = _steps(ours)
    for where in ("on the same disk", f"a connection takes {_CONNECT} s"):
        mine, theirs, ratio = side_by_side(lambda: _promote(ours, *next(steps)), lambda: _by_hand(plain), runs=runs)
        print(f"promote one app and push           {mine:7.2f} s   bare commit and push {theirs:.2f} s   ", end="")
        print(f"{ratio:.1f} × the bare one (median of {runs}, {where})")
        for clone in (ours, plain):
            _connect_slowly(clone, folder)
    size = min(_SET, sum(source == ENVIRONMENTS[0] for _, source, _ in _waiting(ours)) // 3)
    taken = [_promote_set(ours, number, size) for number in range(3)]
    print(f"promote a set of {size} apps           {statistics.median(taken):7.2f} s   one commit, without network")


def _clone(root: Path, folder: Path, name: str) -> Path:
    """A clone of a remote of its own."""
    remote, clone = folder / f"{name}.git", folder / name
    _git(folder, "clone", "--quiet", "--bare", str(root), str(remote))
    _git(folder, "clone", "--quiet", str(remote), str(clone))
    with (clone / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write("[user]\n\tname = Platform Team\n\temail = platform-team@example.com\n")
    return clone


def _connect_slowly(clone: Path, folder: Path) -> None:
    """Reach the remote through a program that Git takes for ssh, and that waits before it does anything."""
    program = folder / "slow-connection"
    program.write_text(f'#!/bin/sh\nsleep {_CONNECT}\nshift\nexec sh -c "$*"\n', encoding="utf-8")
    program.chmod(0o755)
    _git(clone, "config", "core.sshCommand", str(program))
    _git(clone, "config", "ssh.variant", "simple")
    _git(clone, "remote", "set-url", "origin", f"nowhere:{folder / clone.name}.git")


def _waiting(clone: Path) -> list[tuple[str, str, str]]:
    """App, source and target of each release that may go."""
    out = subprocess.check_output([_CARTWRIGHT, "promote", "matrix", "--waiting", "--format", "json"], cwd=clone)
    return [
        (app["app"], one["from"], cell["environment"])
        for app in json.loads(out)["apps"]
        for cell in app["cells"]
        for one in cell["waiting"]
        if one["ready"]
    ]


def _steps(clone: Path) -> Iterator[tuple[str, str, str]]:
    """Single promotions; those into the second environment are left for the sets."""
    return iter([step for step in _waiting(clone) if step[1] != ENVIRONMENTS[0]])


def _promote(clone: Path, app: str, source: str, target: str) -> float:
    return seconds([_CARTWRIGHT, "promote", app, "--from", source, "--to", target, "--push"], cwd=clone)


def _by_hand(clone: Path) -> float:
    """The same edit by hand: another tag and digest in one release."""
    count = _count(clone)
    name = f"app-{count % 100:03}"
    file = clone / pins_path(ENVIRONMENTS[-1], name, environments=ENVIRONMENTS)
    file.write_text(_pinned(file.read_text(), f"9.{count}.0", release_digest(name, str(count))), encoding="utf-8")
    return seconds(["git", "commit", "--quiet", "--all", "--message", "Promote it"], cwd=clone) + seconds(
        ["git", "push", "--quiet"], cwd=clone
    )


def _promote_set(clone: Path, number: int, size: int) -> float:
    """Many apps at once, committed on the clone's own branch."""
    _git(clone, "pull", "--quiet", "--ff-only")
    apps = [app for app, source, _ in _waiting(clone) if source == ENVIRONMENTS[0]][:size]
    sets = clone / "environments" / "sets.yaml"
    schema = Path(__file__).resolve().parents[1] / "environments" / "sets.schema.json"
    sets.with_name(schema.name).write_bytes(schema.read_bytes())
    sets.write_text(json.dumps({"sets": {f"set-{number}": apps}}), encoding="utf-8")
    _git(clone, "add", "--all")
    _git(clone, "commit", "--quiet", "--message", "Name a set")
    before = _count(clone)
    words = ["--set", f"set-{number}", "--from", ENVIRONMENTS[0], "--to", ENVIRONMENTS[1]]
    taken = seconds([_CARTWRIGHT, "promote", *words], cwd=clone)
    if _count(clone) != before + 1:
        raise SystemExit(f"{len(apps)} apps came in {_count(clone) - before} commits")
    return taken


def _count(clone: Path) -> int:
    return int(subprocess.check_output(["git", "rev-list", "--count", "HEAD"], cwd=clone))


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def write_promoted_repository(
    root: Path, *, apps: int, commits: int, environments: Sequence[str] = ENVIRONMENTS, every: bool = False
) -> Path:
    """Write a repository in which releases have moved for a long time, and return its root.

    Each commit sets a new release in the first environment or promotes one to the next; which app moves is drawn, so
    at the end releases wait everywhere.

    Args:
        every: let each app in turn take a step, in place of a draw.
    """
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as folder:
        files = files_below(write_repository(Path(folder) / "files", apps=apps, environments=environments))
    for environment in environments[1:]:
        path = f"environments/{environment}/environment.yaml"
        files[path] = _text(files[path]).replace("soak: 0s", "soak: 10m")
    names = [f"app-{number:03}" for number in range(apps)]
    pinning = {
        (environment, name): _text(files[pins_path(environment, name, environments=environments)])
        for environment in environments
        for name in names
    }
    history = History()
    history.commit(files, message="Begin\n", at=_BEGIN)
    draw = random.Random(1)
    stage = dict.fromkeys(names, 0)
    minor = dict.fromkeys(names, 0)
    for number in range(1, commits):
        name = names[(number - 1) % len(names)] if every else draw.choice(names)
        place = stage[name]
        minor[name] += place == 0
        stage[name] = (place + 1) % len(environments)
        tag = f"1.{minor[name]}.0"
        digest = release_digest(name, tag)
        environment = environments[place]
        text = _pinned(pinning[environment, name], tag, digest)
        source = environments[place - 1] if place else None
        message = Message(
            subject=f"Promote shop/{name} {tag} from {source} to {environment}" if source else f"{name} {tag}",
            source=source,
            target=environment,
            moved=(Moved(app=f"shop/{name}", tags=(tag,), digests=(digest,)),),
            gates={"upstream": "passed", "soak": "passed"} if source else {},
        )
        history.commit(
            {pins_path(environment, name, environments=environments): text},
            message=message.render(),
            at=_BEGIN + number * _STEP,
        )
    history.write(root)
    return root


def pins_path(environment: str, name: str, *, environments: Sequence[str]) -> str:
    """The kustomization that pins an app's image: the overlay's in the first environment, its release's in others."""
    below = "" if environment == environments[0] else "release/"
    return f"environments/{environment}/shop/{name}/{below}kustomization.yaml"


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


if __name__ == "__main__":
    main()
