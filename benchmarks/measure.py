"""Timing whole commands: medians of several runs, and ratios of pairs that ran side by side."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cartwright.kernel.paths import cache_root
from cartwright.tools import load_catalogue

__all__ = ["cache_with_tools", "compare", "seconds", "side_by_side"]


def seconds(command: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> float:
    """Wall time of one run of a command that must succeed."""
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def compare(name: str, ours: Callable[[], float], plain: Callable[[], float], *, runs: int) -> float:
    """Run both in turn, so that a machine that slows down slows both, and print the medians and their ratio."""
    mine, theirs, ratio = side_by_side(ours, plain, runs=runs)
    print(f"{name:<34} {mine:7.2f} s   plain {theirs:7.2f} s   {1 / ratio:6.1f} × faster (median of {runs})")
    return 1 / ratio


def side_by_side(ours: Callable[[], float], plain: Callable[[], float], *, runs: int) -> tuple[float, float, float]:
    """Run both in turn: the medians of both, and that of ours in terms of plain, pair by pair."""
    pairs = [(ours(), plain()) for _ in range(runs)]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs), ratio


def cache_with_tools(folder: Path) -> dict[str, str]:
    """A cache that holds the built tools and schemas and nothing else, as the environment that selects it."""
    folder.mkdir(parents=True)
    for name in [*load_catalogue(), "schemas", "mirrors"]:
        if (cache_root() / name).exists():
            (folder / name).symlink_to(cache_root() / name)
    return {"CARTWRIGHT_CACHE": str(folder)}
