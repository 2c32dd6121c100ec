"""What `cartwright doctor` says of tools that are missing: built here, or taken from a team's registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.cluster.doctor import examine
from cartwright.tools import tools_folder


@pytest.mark.parametrize(
    ("registry", "needs"),
    [
        ("", ["Go to build them", "15 GiB of disk for the first build"]),
        ("ghcr.io/x/tools", ["Go to build them", "or a registry that has them", "3 GiB of disk for the tools"]),
    ],
    ids=["nothing is shared", "a registry is named"],
)
def test_missing_tools_need_less_disk_where_a_registry_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str, needs: list[str]
) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setenv("CARTWRIGHT_TOOLS", registry)
    found = {one.need: one.detail for one in examine(tools_folder()) if one.tier == "cluster"}
    assert [need for need in found if need in {*needs, "or a registry that has them"}] == needs
    assert found.get("or a registry that has them") in {None, f"{registry} (CARTWRIGHT_TOOLS)"}
