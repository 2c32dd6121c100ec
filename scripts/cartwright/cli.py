"""The ``cartwright`` command: arguments in, report out, exit code 0 (fine), 1 (findings or blocked), 2 (bad input).

Each command is a module of ``cartwright.commands``, imported only when it is asked for: a warm ``check`` is so short
that importing the other commands would be most of it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, NoReturn

import typer
from typer._click.exceptions import ClickException  # typer gives the click that it carries no public name

from cartwright import __version__
from cartwright.kernel.errors import CartwrightError, UserError, error_json, nearest

__all__ = ["COMMANDS", "build", "main"]

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "up": "Start the embedded cluster with Argo CD and wait until every Application is Healthy.",
        "push": "Push this clone's commits to the embedded cluster, rebased on its remote.",
        "status": "Show sync, health, revision and image of every app in every environment.",
        "open": "Print the address of everything that has a page, and credentials.",
        "down": "Stop the embedded cluster and remove its data.",
        "check": "Render, validate and check every environment.",
        "promote": "Move a release from one environment to the next.",
        "policy": "List, explain, prove and document the policy rules.",
        "init": "Give a fork the names of its owner: organisation, repository, registry.",
        "new": "Create a new service: code, base, overlays and tests.",
        "networkpolicies": "Generate the NetworkPolicies from apps/dependencies.yaml.",
        "images": "Build the services' images without Docker.",
        "tools": "Build, share and list the pinned tools.",
        "demo": "Show what this repository does, on the embedded cluster.",
        "doctor": "Show what this machine has and lacks, tier by tier.",
    }
)
"""Name of each command and its line of help. ``cartwright.commands.<name>`` holds a function of that name,
or an ``app`` where the command has subcommands."""


def build(selected: str | None = None) -> typer.Typer:
    """The command line with the ``selected`` command imported, the others known by name and line of help only."""
    app = typer.Typer(
        name="cartwright",
        help="Render, check, promote and run a GitOps repository: Argo CD, Kustomize and OPA, offline.",
        epilog="Exit codes: 0 fine, 1 findings or blocked, 2 bad usage or unreadable input.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
        ] = False,
    ) -> None:
        pass

    for name, line in COMMANDS.items():
        if name != selected:
            app.command(name, help=line)(_not_imported)
            continue
        module = importlib.import_module(f"cartwright.commands.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=line)
        else:
            app.command(name)(getattr(module, name))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"cartwright {__version__}\n")
        raise typer.Exit


def _not_imported() -> None:
    """Stands in the overview for a command that this call does not run."""


def main() -> None:
    """Run the command line of this process; never shows a traceback for a user's mistake.

    An error is one line on standard error. Where ``--format json`` was asked for, standard output gets it as JSON.
    """
    words = sys.argv[1:]
    selected = words[0] if words and not words[0].startswith("-") else None
    wants_json = _wants_json(words)
    try:
        if selected is not None and selected not in COMMANDS:
            raise UserError(f"no command '{selected}'", hint=nearest(selected, COMMANDS))
        # On its own typer ends the process at a wrong option, with a frame of text.
        sys.exit(build(selected)(standalone_mode=not wants_json))
    except CartwrightError as error:
        _end(error, wants_json, message=None, exit_code=error.exit_code)
    except ClickException as error:
        _end(error, wants_json, message=error.format_message(), exit_code=error.exit_code)
    except BrokenPipeError:
        # The reader (`head`, a pager) closed the pipe: nothing is left to say, nor to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        said = f"internal: {type(error).__name__}: {error} (CARTWRIGHT_DEBUG=1 shows where; please report it)"
        _end(error, wants_json, message=said, exit_code=2)


def _wants_json(words: Sequence[str]) -> bool:
    """Whether the command was asked for JSON; it must be known before the words are parsed, which may fail."""
    given = words[: words.index("--")] if "--" in words else words
    pairs = zip(given, [*given[1:], ""], strict=True)
    asked = [word.partition("=")[2] or following for word, following in pairs if word.partition("=")[0] == "--format"]
    return asked[-1:] == ["json"]


def _end(error: Exception, wants_json: bool, *, message: str | None, exit_code: int) -> NoReturn:
    """Say what went wrong, and end."""
    if os.environ.get("CARTWRIGHT_DEBUG"):
        raise error
    if wants_json:
        sys.stdout.write(error_json(error, message=message, exit_code=exit_code) + "\n")
    sys.stderr.write(f"error: {message or error}\n")
    sys.exit(exit_code)
