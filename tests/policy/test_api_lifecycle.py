"""The table of API versions that end, against what the pinned API server itself says of the versions that it serves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.policy.admission import ApiServer, running_apiserver

pytestmark = pytest.mark.cluster

Kind = tuple[str, str]
"""apiVersion and kind."""
Lifecycle = Mapping[str, Mapping[str, tuple[str, str, str]]]
"""By apiVersion and kind: deprecated since, gone since, what to use instead."""
_WARNING = re.compile(r"^(\S+) (\S+) is deprecated in v([\d.]+)\+(?:, unavailable in v([\d.]+)\+)?")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that serves every version that it can, alpha ones too."""
    with running_apiserver(tmp_path_factory.mktemp("apiserver"), "--runtime-config=api/all=true") as running:
        yield running


@pytest.fixture(scope="module")
def served(server: ApiServer) -> Mapping[Kind, str]:
    """The path that lists the objects of each kind that it serves in a version and that can be listed."""
    groups = [version["groupVersion"] for group in server.read("/apis")["groups"] for version in group["versions"]]
    found: dict[Kind, str] = {}
    for version in ["v1", *groups]:
        home = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        for resource in server.read(home)["resources"]:
            if "list" in resource["verbs"] and "/" not in resource["name"]:
                found[version, resource["kind"]] = f"{home}/{resource['name']}"
    return found


@pytest.fixture(scope="module")
def release(server: ApiServer) -> tuple[int, ...]:
    """Kubernetes' minor version."""
    version = server.read("/version")
    return int(version["major"]), int(version["minor"])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_table_says_of_each_version_what_the_server_warns_of(
    server: ApiServer, served: Mapping[Kind, str], lifecycle: Lifecycle, release: tuple[int, ...]
) -> None:
    said: dict[Kind, tuple[str, str]] = {}
    for kind, path in served.items():
        for warning in server.ask("GET", path).warnings:
            match = _WARNING.match(warning)
            assert match, warning
            assert match.groups()[:2] == kind
            said[kind] = match[3], match[4] or ""
    assert len(said) > 1
    meant = {
        (version, kind): (since, end)
        for version, kinds in lifecycle.items()
        for kind, (since, end, _) in kinds.items()
        if _number(since) <= release and (version, kind) in served
    }
    assert said == meant


def test_the_server_serves_nothing_that_the_table_calls_gone(
    served: Mapping[Kind, str], lifecycle: Lifecycle, release: tuple[int, ...]
) -> None:
    gone = {
        (version, kind)
        for version, kinds in lifecycle.items()
        for kind, (_, end, _) in kinds.items()
        if end and _number(end) <= release
    }
    assert len(gone) > 20
    assert gone & set(served) == set()
