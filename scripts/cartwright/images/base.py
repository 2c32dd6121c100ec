"""The base image where no registry is reachable: Debian 12 with Python 3.11, from Debian's own packages."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cartwright.errors import ToolError
from cartwright.run import run

if TYPE_CHECKING:
    from cartwright.images.buildah import Buildah

__all__ = ["BASE_EPOCH", "LEFT_OUT", "REMOVED", "SUITE", "ensure_base"]

SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "libpython3-stdlib", "python3-minimal")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")
REMOVED = (
    "/var/lib/apt/lists",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/log",
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/resolv.conf",
)
# Debian calls it python3 alone; the service images say `python`, as other bases do.
_LINK = 'ln -s python3 "$1/usr/bin/python"'
BASE_EPOCH = 1767225600
"""Time of every file of the base, in seconds since 1970: one fixed moment, since packages carry their own versions."""


def ensure_base(buildah: Buildah) -> str:
    """The name of the base image in this store, made first if it is not there.

    Its name ends in a hash of what it is made from, so that another list of packages is another base.
    Raises ToolError without root, and if mmdebstrap or buildah is missing or fails.
    """
    recipe = json.dumps([SUITE, _PACKAGES, LEFT_OUT, REMOVED, BASE_EPOCH, _LINK])
    name = f"localhost/cartwright-base:{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    present = json.loads(buildah("images", "--json") or "[]") or []
    if any(name in (image.get("names") or []) for image in present):
        return name
    if os.geteuid() != 0:
        raise ToolError("mmdebstrap: the base image needs root; or name one with --base")
    with tempfile.TemporaryDirectory(prefix="cartwright-base-") as folder:
        archive = Path(folder) / "base.tar"
        run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(_PACKAGES)}",
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
                *(f'--customize-hook=rm -rf "$1{path}"' for path in REMOVED),
                f"--customize-hook={_LINK}",
                SUITE,
                archive,
            ],
            env={"SOURCE_DATE_EPOCH": str(BASE_EPOCH)},
            timeout=900,
        )
        container = buildah("from", "scratch")
        try:
            buildah("add", "--quiet", container, archive, "/")
            buildah("config", "--created-by", f"mmdebstrap {SUITE}", container)
            buildah("commit", "--quiet", "--timestamp", str(BASE_EPOCH), container, name)
        finally:
            buildah("rm", container)
    return name
