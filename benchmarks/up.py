"""`cartwright up` from nothing, with tools and images built: time of each stage, memory, and how soon a push is live.

    .venv/bin/python -m benchmarks.up [--pushes N]

Runs on a copy of the work tree, in a state folder of its own, and leaves nothing behind. Memory is the sum over all of
the cluster's processes, those in containers among them: RSS counts pages that processes share once for each, PSS
divides them among those.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from cartwright.cluster.down import down
from cartwright.cluster.memory import all_processes, resident
from cartwright.cluster.state import Layout
from cartwright.cluster.up import Options, Outcome, up
from tests.cluster.sandbox import Sandbox, make_sandbox, until

_TARGET_SECONDS, _TARGET_GIB, _TARGET_PUSH_SECONDS = 150, 6.0, 10
_MARK = "benchmark"

# What a push changes in dev: Argo CD applies catalog's Deployment only when its migration's container has ended.
_PUSHED = {"gateway": "no migration", "catalog": "a migration first"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pushes", type=int, default=5, help="how many commits to push and wait for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as folder:
        sandbox = make_sandbox(Path(folder), real=True)
        try:
            _measure(sandbox, options.pushes)
        finally:
            down(sandbox.layout, keep_data=False)


def _measure(sandbox: Sandbox, pushes: int) -> None:
    load = os.getloadavg()[0]
    peak = _Peak(sandbox.layout)
    with peak:
        outcome = _up(sandbox)
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in outcome.stages.items())
    total = sum(outcome.stages.values())
    _line(f"up, {len(outcome.snapshot.names)} Applications", total, "s", target=_TARGET_SECONDS)
    print(f"  stages: {stages} (load before: {load:.1f} on {os.cpu_count()} processors)")
    _line("up again, nothing to do", sum(_up(sandbox).stages.values()), "s")
    _line("memory, peak RSS during up", peak.rss, "GiB", target=_TARGET_GIB)
    rss, pss = _memory(sandbox.layout)
    _line(f"memory after it, {len(all_processes(sandbox.layout))} processes", rss, "GiB", target=_TARGET_GIB)
    print(f"  with shared pages divided (PSS): {pss:.2f} GiB")
    for app, what in _PUSHED.items():
        times = [_push(sandbox, app, number) for number in range(pushes)]
        _line(
            f"push until live, {what}, median of {pushes}", statistics.median(times), "s", target=_TARGET_PUSH_SECONDS
        )
        print(f"  longest: {max(times):.1f} s")


def _line(name: str, value: float, unit: str, *, target: float | None = None) -> None:
    ratio = f"   {value / target:.2f} of the target of {target:g} {unit}" if target else ""
    print(f"{name:<55} {value:7.2f} {unit:<3}{ratio}", flush=True)


def _up(sandbox: Sandbox) -> Outcome:
    outcome = up(sandbox.repository, sandbox.layout, Options(), say=lambda _: None, show=lambda _: None)
    assert not outcome.snapshot.unfinished, [outcome.snapshot.reason(name) for name in outcome.snapshot.unfinished]
    return outcome


def _push(sandbox: Sandbox, app: str, number: int) -> float:
    """Seconds from a push to the app's changed Deployment in dev."""
    overlay = sandbox.repository / f"environments/dev/shop/{app}/kustomization.yaml"
    # At the top, away from the images: the remote has the digests of this machine's.
    marked = re.sub(rf"\A(commonAnnotations: {{{_MARK}: .*\n)?", "", overlay.read_text(encoding="utf-8"))
    overlay.write_text(f'commonAnnotations: {{{_MARK}: "{number}"}}\n{marked}', encoding="utf-8")
    sandbox.commit("benchmark: a change")
    began = time.monotonic()
    sandbox.push()

    def is_live() -> bool:
        deployment: Mapping[str, Mapping[str, Mapping[str, str]]] = sandbox.get(
            "dev", "--namespace=shop", "deployment", app
        )
        return deployment["metadata"].get("annotations", {}).get(_MARK) == str(number)

    assert until(is_live, seconds=120)
    taken = time.monotonic() - began
    assert until(lambda: sandbox.status()["good"], seconds=120)
    return taken


class _Peak:
    """The largest sum of resident memory while the block runs."""

    def __init__(self, layout: Layout) -> None:
        self.rss = 0.0
        self._layout = layout
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(2.0):
            self.rss = max(self.rss, _memory(self._layout, with_pss=False)[0])


def _memory(layout: Layout, *, with_pss: bool = True) -> tuple[float, float]:
    """GiB of all processes: resident, and with shared pages divided (reading that takes a while)."""
    pss = 0
    for process in all_processes(layout) if with_pss else ():
        try:
            pss += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return resident(layout) / 2**30, pss / 2**30


if __name__ == "__main__":
    main()
