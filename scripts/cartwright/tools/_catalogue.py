"""What the tools are: ``tools/tools.toml`` and the Go modules beside it, as plain data."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cartwright.kernel.errors import UserError
from cartwright.kernel.paths import cache_root

__all__ = ["Tool", "catalogue_hash", "load_catalogue", "tools_folder"]

_REQUIRE = re.compile(r"^\s*(?:require\s+)?(?P<path>\S+\.\S+/\S+|\S+\.\S+) (?P<version>v\S+)", re.MULTILINE)
_GO = re.compile(r"^go (?P<version>\S+)$", re.MULTILINE)
_KEYS = frozenset({"module", "package", "tiers", "ldflags", "version", "assets"})


@dataclass(frozen=True)
class Tool:
    """One pinned Go tool."""

    name: str
    """Name of the tool and of its binary."""
    folder: Path
    """The Go module that pins it."""
    module: str
    """Path of the Go module that holds its source, such as ``sigs.k8s.io/kwok``."""
    package: str
    """Its main package."""
    version: str
    """Pinned version with its ``v``."""
    go: str
    """Least version of Go that builds it, such as ``1.26.8``."""
    key: str
    """Twelve hex digits over all that decides what is built: go.mod, go.sum, package and flags."""
    ldflags: str
    """Linker flags."""
    tiers: tuple[str, ...]
    """Who needs it: ``check``, ``cluster``, ``test``."""
    version_args: tuple[str, ...]
    """Arguments that make the binary print its version."""
    assets: tuple[str, ...]
    """Files and folders of ``module`` that are kept too: manifests, CRDs."""
    asset_key: str
    """Twelve hex digits over module, version and ``assets``."""

    @property
    def home(self) -> Path:
        """The folder in the cache that holds the binary."""
        return cache_root() / self.name / f"{self.version}-{self.key}"

    @property
    def asset_home(self) -> Path:
        """The folder in the cache that holds its assets."""
        return self.home.with_name(f"assets-{self.version}-{self.asset_key}")

    @property
    def binary(self) -> Path:
        """Where the built binary lies."""
        return self.home / self.name


def tools_folder() -> Path:
    """``tools/`` of this repository: Cartwright is installed editable from the repository that it serves."""
    return Path(__file__).resolve().parents[3] / "tools"


@cache
def load_catalogue(folder: Path | None = None) -> Mapping[str, Tool]:
    """Every tool by name, in build order.

    Args:
        folder: the ``tools/`` folder; this repository's own by default.

    Raises:
        UserError: tools.toml or a go.mod can't be read, or they don't fit together.
    """
    root = folder or tools_folder()
    file = root / "tools.toml"
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"can't be read: {error}", file=file) from error
    return {name: _tool(name, entry, root) for name, entry in entries.items()}


def catalogue_hash() -> str:
    """Hash over everything that pins a tool: equal hashes mean equal tools."""
    root = tools_folder()
    total = hashlib.sha256((root / "tools.toml").read_bytes())
    for file in sorted(root.glob("*/go.sum")):
        total.update(file.read_bytes())
    return total.hexdigest()


def _tool(name: str, entry: dict[str, object], root: Path) -> Tool:
    unknown = entry.keys() - _KEYS
    if unknown:
        raise UserError(f"[{name}] has an unknown key: {', '.join(sorted(unknown))}", file=root / "tools.toml")
    folder = root / str(entry.get("module", name))
    package = str(entry["package"])
    try:
        mod, sums = (folder / "go.mod").read_text(encoding="utf-8"), (folder / "go.sum").read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"[{name}] has no Go module: {error.strerror}", file=folder / "go.mod") from error
    module, version = _pinned(package, mod, folder)
    go = _GO.search(mod)
    number = version.removeprefix("v")
    ldflags = (
        str(entry.get("ldflags", ""))
        .replace("{version}", version)
        .replace("{number}", number)
        .replace("{minor}", number.split(".")[1])
    )
    digest = hashlib.sha256("\0".join([mod, sums, package, ldflags]).encode()).hexdigest()
    assets = _words(entry.get("assets"))
    return Tool(
        name=name,
        folder=folder,
        module=module,
        package=package,
        version=version,
        go=go["version"] if go else "1.26",
        key=digest[:12],
        ldflags=f"-s -w {ldflags}".rstrip(),
        tiers=_words(entry.get("tiers")),
        version_args=_words(entry.get("version")),
        assets=assets,
        asset_key=hashlib.sha256("\0".join([module, version, *assets]).encode()).hexdigest()[:12],
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def _pinned(package: str, mod: str, folder: Path) -> tuple[str, str]:
    """Module and version that provide ``package``: the longest required module path that is a prefix of it."""
    candidates = [
        (match["path"], match["version"])
        for match in _REQUIRE.finditer(mod.split("\nreplace", 1)[0])
        if package == match["path"] or package.startswith(match["path"] + "/")
    ]
    if not candidates:
        raise UserError(f"no requirement provides {package}", file=folder / "go.mod", hint="`go get -tool` adds it")
    return max(candidates, key=lambda pair: len(pair[0]))
