"""A new runner's wait for the tools: all of them from a registry on this machine, into an empty cache.

The registry is on the same disk, so this is the part that no network changes: requests, hashing, unpacking.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.measure import cache_with_tools, seconds
from cartwright.demo.imagestore import serve
from cartwright.tools import load_catalogue, locate

COMMAND = str(Path(".venv/bin/cartwright").resolve())


def main() -> None:
    """Print how long a push, a second push and a pull take, and how much travels."""
    built = [tool.name for tool in load_catalogue().values() if locate(tool) == tool.binary]
    os.environ.pop("CARTWRIGHT_TOOLS", None)
    with tempfile.TemporaryDirectory() as side, serve(Path(side) / "registry") as registry:
        here, root = cache_with_tools(Path(side) / "here"), Path.cwd()
        words = [registry.image("tools"), *built]
        first = seconds([COMMAND, "tools", "push", *words], cwd=root, env=here)
        second = seconds([COMMAND, "tools", "push", *words], cwd=root, env=here)
        empty = {"CARTWRIGHT_CACHE": str(Path(side) / "empty")}
        pull = seconds([COMMAND, "tools", "pull", *words], cwd=root, env=empty)
        size = sum(file.stat().st_size for file in (Path(side) / "empty").rglob("*") if file.is_file())
        stored = sum(file.stat().st_size for file in (Path(side) / "registry").rglob("data") if file.is_file())
    print(f"{len(built)} tools, {size / 1e6:.0f} MB built, {stored / 1e6:.0f} MB in the registry")
    print(f"{'tools push':<34} {first:7.1f} s   again {second:7.1f} s")
    print(f"{'tools pull into an empty cache':<34} {pull:7.1f} s")


if __name__ == "__main__":
    main()
