"""Creating a new service: code, base, overlays, tests, and its place in the files that list services."""

from cartwright.scaffold.capacity import find_misfits
from cartwright.scaffold.files import Scaffold, write_scaffold
from cartwright.scaffold.service import Service, make_scaffold

__all__ = ["Scaffold", "Service", "find_misfits", "make_scaffold", "write_scaffold"]
