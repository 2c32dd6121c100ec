"""What tools travel as: a part for each binary, and one for the files of its module that are kept beside it.

A part's tag is made of the name and the sum of its folder in the cache, and of the platform where it is a binary. Equal
tags mean that the same source was built with the same flags, so parts of many commits and platforms lie side by side.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import UserError
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import Reference, parse_reference
from cartwright.tools._catalogue import Tool

__all__ = [
    "ARTIFACT",
    "LAYER",
    "NAME",
    "TAG",
    "Part",
    "asset_parts",
    "binary_parts",
    "is_tampering",
    "machine",
    "tools_reference",
]

ARTIFACT = "application/vnd.cartwright.tool.v1"
"""What a part's manifest calls itself."""
LAYER = "application/vnd.cartwright.tool.v1.tar+gzip"
TAG, NAME = "org.opencontainers.image.ref.name", "org.opencontainers.image.title"
"""Annotations of an index's entries: the part's tag, and its name, which stays when versions change."""
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Part:
    """One folder of the cache, and one artifact."""

    tool: Tool
    name: str
    """``kustomize``, or ``argocd-assets``."""
    home: Path
    """The folder in the cache that it is, once it is there."""
    tag: str
    """What it is called in a registry."""
    platform: tuple[str, str] | None
    """Operating system and architecture as Go spells them; None for files that suit all."""

    @property
    def is_here(self) -> bool:
        """Whether the cache has it."""
        return self.home.is_dir() if self.platform is None else self.tool.binary.is_file()

    def __str__(self) -> str:
        return f"{self.name} {self.tool.version}"


def machine() -> tuple[str, str]:
    """Operating system and architecture that tools are built for here, as Go spells them.

    >>> machine()  # doctest: +SKIP
    ('linux', 'amd64')
    """
    architecture = platform.machine().lower()
    return platform.system().lower(), _ARCHITECTURES.get(architecture, architecture)


def binary_parts(tools: Iterable[Tool]) -> list[Part]:
    """The tools' binaries, for this platform."""
    here = machine()
    return [
        Part(tool=tool, name=tool.name, home=tool.home, tag=_tag(tool.name, tool.home.name, *here), platform=here)
        for tool in tools
    ]


def asset_parts(tools: Iterable[Tool]) -> list[Part]:
    """The assets of those tools that have some."""
    return [
        Part(
            tool=tool,
            name=f"{tool.name}-assets",
            home=tool.asset_home,
            tag=_tag(tool.name, tool.asset_home.name),
            platform=None,
        )
        for tool in tools
        if tool.assets
    ]


def tools_reference(text: str, *, said_by: str = "") -> Reference:
    """Read the reference of a repository for tools: ``host/path``, and where one is meant a tag or a digest.

    Args:
        text: the reference.
        said_by: the variable that it stands in.

    Raises:
        UserError: it is none.
    """
    try:
        return parse_reference(text)
    except UserError as error:
        raise UserError(f"{said_by}: {error}" if said_by else str(error)) from error


def is_tampering(error: RegistryError) -> bool:
    """Whether content is not what it must be, other than that a registry does not answer or not to us."""
    return error.code in {"wrong-digest", "no-image"}


def _tag(*words: str) -> str:
    """Words as a tag, which has no room for the ``+`` of Go's versions."""
    return "-".join(words).replace("+", "_")
