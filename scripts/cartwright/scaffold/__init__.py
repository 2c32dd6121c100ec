"""Creating a new service: code, base, overlays, tests, and its place in the files that list services."""

from cartwright.scaffold.files import Scaffold, write_scaffold
from cartwright.scaffold.service import Service, make_scaffold

__all__ = ["Scaffold", "Service", "make_scaffold", "write_scaffold"]
