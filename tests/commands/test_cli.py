"""The command line as a whole: every command is there, explains itself, and fails in one line."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import cartwright.commands
from cartwright.cli import COMMANDS

PROGRAM = Path(sys.executable).with_name("cartwright")


def command(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *args], cwd=cwd, capture_output=True, text=True, check=False)


def test_every_module_is_a_command_and_every_command_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(cartwright.commands.__path__)}
    parts = {name for name in modules if name.partition("_")[0] in COMMANDS and name not in COMMANDS}
    assert modules - parts == set(COMMANDS), "promote_record is a part of promote"


def test_the_overview_lists_every_command() -> None:
    shown = command("--help").stdout
    assert all(f" {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    shown = command(name, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"Usage: cartwright {name}" in shown.stdout


@pytest.mark.parametrize("name", ["up", "push", "check", "promote"])
def test_the_commands_of_every_day_have_examples_and_exit_codes(name: str) -> None:
    shown = command(name, "--help").stdout
    assert f"cartwright {name}" in shown.split("Example", 1)[1]


def test_an_unknown_command_names_the_nearest() -> None:
    done = command("promot")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no command 'promot' (did you mean 'promote'?)\n"


def test_the_version_is_printed() -> None:
    assert command("--version").stdout == f"cartwright {cartwright.__version__}\n"


def test_a_closed_pipe_is_no_error() -> None:
    script = f"{PROGRAM} tools list --format json | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{", "")
