"""What every test shares: tests that need what this machine lacks are skipped, and one line says which and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from cartwright.cluster.node.machine import is_claimed
from cartwright.cluster.node.requirements import lacks
from cartwright.tools.packages import find_packages


def _lacks(*packages: str) -> str:
    missing = [one.name for one in find_packages() if one.name in packages and one.path is None]
    return f"install {' '.join(missing)}" if missing else ""


def _lacks_services() -> str:
    return _lacks("postgresql", "redis-server", "rabbitmq-server")


def _lacks_cluster() -> str:
    return _lacks("redis-server")


def _lacks_node() -> str:
    # There is one real node on a machine, and a person's own cluster may have it.
    return lacks() or ("another embedded cluster has the real node of this machine" if is_claimed() else "")


def _lacks_registry() -> str:
    return _lacks("docker-registry")


def _lacks_images() -> str:
    return _lacks("buildah", "mmdebstrap", "skopeo") or ("" if os.geteuid() == 0 else "needs root")


def _lacks_browser() -> str:
    return _lacks("chromium")


_NEEDS: Mapping[str, Callable[[], str]] = {
    "services": _lacks_services,
    "cluster": _lacks_cluster,
    "node": _lacks_node,
    "browser": _lacks_browser,
    "registry": _lacks_registry,
    "images": _lacks_images,
}
"""Marker → what is lacking for it here; empty where nothing is."""
_SLOWEST = 10
"""How many of the slowest test files the summary names."""
_CLUSTERS = ("cluster", "node")
"""Markers of tests that start embedded clusters: two at a time would be too much for a small machine."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """What needs an embedded cluster runs in one process, one cluster after the other."""
    if any(item.get_closest_marker(marker) for marker in _CLUSTERS):
        item.add_marker(pytest.mark.xdist_group("clusters"))


@pytest.hookimpl(trylast=True)  # after the services' plugin, which marks tests by the servers they ask for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what can't run here."""
    lacking = {marker: text for marker, find in _NEEDS.items() if (text := find())}
    for item in items:
        for marker, text in lacking.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"{marker}: {text}"))
                break


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line on what was not run and why; or that nothing was left out."""
    # From the reports: with several processes, each skips for itself.
    reasons = [
        str(report.longrepr[2]).removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", ())
    ]
    not_run = Counter(reason for reason in reasons if reason.partition(":")[0] in _NEEDS)
    what = ", ".join(f"{number} of {reason.replace(': ', ' (', 1)})" for reason, number in not_run.items())
    terminalreporter.write_line(
        f"not run: {what}" if what else "not run: nothing, this machine has all that the tests need"
    )
    _write_slowest(terminalreporter)


def _write_slowest(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the time went: the files whose tests and fixtures took longest, all processes added up."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]
    slowest = [(file, spent) for file, spent in seconds.most_common(_SLOWEST) if spent >= 1]
    if slowest:
        total = sum(seconds.values())
        terminalreporter.write_line(f"slowest files, of {total:.0f} s in all processes together:")
    for file, spent in slowest:
        terminalreporter.write_line(f"  {spent:6.0f} s  {file}")
