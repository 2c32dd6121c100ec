"""The pinned tools: where each one is, built (Go) or installed by itself (Python) when it is first needed.

>>> from cartwright.tools import require
>>> require(["kustomize"])["kustomize"]  # doctest: +SKIP
PosixPath('~/.cache/cartwright/kustomize/v5.8.2-1a2b3c4d5e6f/kustomize')
"""

from cartwright.tools._build import asset, locate, require
from cartwright.tools._catalogue import Tool, catalogue_hash, load_catalogue, tools_folder
from cartwright.tools._python import python_tools, require_python

__all__ = [
    "Tool",
    "asset",
    "catalogue_hash",
    "load_catalogue",
    "locate",
    "python_tools",
    "require",
    "require_python",
    "tools_folder",
]
