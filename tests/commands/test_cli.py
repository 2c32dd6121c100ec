"""The command line as a whole: every command is there, explains itself, and fails in one line."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import cartwright.commands
from cartwright.cli import COMMANDS, build, main

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


def with_json() -> Iterator[tuple[str, ...]]:
    """Every command that can write JSON, as the words that name it."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if any("--format" in option.opts for option in command.params):
            yield path
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, (*path, name))

    for name in COMMANDS:
        yield from below(typer.main.get_command(build(name)).commands[name], (name,))  # type: ignore[attr-defined]


def ended(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> object:
    """Exit code of the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["cartwright", *words])
    with pytest.raises(SystemExit) as error:
        main()
    return error.value.code


@pytest.mark.parametrize("path", list(with_json()), ids=" ".join)
def test_a_wrong_option_beside_format_json_is_a_json_object(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended((*path, "--format", "json", "--no-such-option"), monkeypatch) == 2
    said = capsys.readouterr()
    told = {"message": "No such option: --no-such-option", "where": None, "hint": None, "exitCode": 2}
    assert json.loads(said.out) == {"error": told}
    assert said.err == "error: No such option: --no-such-option\n"


@pytest.mark.parametrize("form", [("--format", "json"), ("--format=json",)], ids=["two words", "one word"])
def test_an_error_is_json_with_message_hint_and_exit_code(
    form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(("policy", "explain", "pinned-imag", *form), monkeypatch) == 2
    said = capsys.readouterr()
    told = {
        "message": "no rule 'pinned-imag'",
        "where": None,
        "hint": "did you mean 'pinned-image'?",
        "exitCode": 2,
    }
    assert json.loads(said.out) == {"error": told}


def test_an_error_without_format_json_leaves_standard_output_empty(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(("policy", "explain", "pinned-imag", "--format", "json", "--format", "text"), monkeypatch) == 2
    assert capsys.readouterr().out == ""


def test_an_internal_error_is_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("cartwright.commands.policy.find_root", fail)
    assert ended(("policy", "list", "--format", "json"), monkeypatch) == 2
    said = "internal: ZeroDivisionError: by zero (CARTWRIGHT_DEBUG=1 shows where; please report it)"
    assert json.loads(capsys.readouterr().out)["error"]["message"] == said
