"""Creating new services, apps and environments, with their places in the files that list them."""

from cartwright.scaffold.app import App, make_app, unlisted
from cartwright.scaffold.capacity import find_misfits
from cartwright.scaffold.environment import NewEnvironment, make_environment
from cartwright.scaffold.files import Scaffold, write_scaffold
from cartwright.scaffold.service import Service, make_scaffold

__all__ = [
    "App",
    "NewEnvironment",
    "Scaffold",
    "Service",
    "find_misfits",
    "make_app",
    "make_environment",
    "make_scaffold",
    "unlisted",
    "write_scaffold",
]
