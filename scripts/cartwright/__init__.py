"""Cartwright: render, check, promote and run a GitOps repository, offline.

One small core serves every command (see ``docs/architecture.md``):

    repository → applications → render → resources → judge | diff | plan → report
"""

__version__ = "0.1.0"
