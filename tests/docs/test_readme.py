"""What the README and the page of releases tell to type exists: each command, its options, each target of make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from cartwright.cli import COMMANDS, build

ROOT = Path(__file__).resolve().parents[2]

_FENCED = re.compile(r"^ *```[^\n]*\n(.*?)^ *``` *$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_END = re.compile(r"&&|\|\||[|;\n()`]|\s#(?:\s|$)|(?<=\s)[12]?>|[\u2500-\u25ff]")
"""Where a command of a line of shell ends; a drawing's line ends it, too."""


def code(markdown: str) -> Iterator[str]:
    """Every piece of code: lines of blocks, and spans, which may be broken across lines.

    >>> list(code("Run `make\\nup`.\\n\\n    make down  # ends it\\n"))
    ['    make down  # ends it', 'make up']
    """
    markdown = markdown.replace("\\\n", " ")
    for block in _FENCED.findall(markdown):
        yield from block.splitlines()
    rest = _FENCED.sub("", markdown)
    yield from _INDENTED.findall(rest)
    for _, span in _SPAN.findall(_INDENTED.sub("", rest)):
        yield " ".join(span.split())


def commands(markdown: str) -> Iterator[list[str]]:
    """The words of each command of ours, and of make, that code begins with or has after another one.

    >>> list(commands("`make tools && .venv/bin/cartwright tools push X` and `.venv/bin/cartwright check | less`"))
    [['make', 'tools'], ['cartwright', 'tools', 'push', 'X'], ['cartwright', 'check']]
    """
    for line in code(markdown):
        for part in _END.split(line):
            words = part.strip().removeprefix("$ ").split()
            while words and re.fullmatch(r"[A-Z_]+=\S*|\$|sudo", words[0]):
                words.pop(0)
            if words and words[0] in (".venv/bin/cartwright", "cartwright", "make"):
                yield [words[0].rpartition("/")[2], *words[1:]]


def fault(words: list[str]) -> str | None:
    """What of a command of ours there is not; None where there is all of it."""
    names = iter(words[1:])
    name = next(names, "--help")
    if name.startswith("-"):
        return None if name in ("--help", "-h", "--version") else f"no option {name}"
    if name not in COMMANDS:
        return f"no command {name}"
    root = typer.main.get_command(build(name))
    assert isinstance(root, TyperGroup)
    command = root.commands[name]
    if name == "promote":
        # Its first word may be an app: `promote catalog` is `promote apps catalog`.
        assert isinstance(command, TyperGroup)
        if "--from" in words and words[2] not in command.commands:
            command = command.commands["apps"]
    for word in names:
        if "…" in word:
            break  # the text leaves the rest to the reader
        if word.startswith("-") and word != "-":
            known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
            if word.partition("=")[0] not in known | {"--help", "-h"}:
                return f"{command.name} has no option {word}"
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
    return None


def typed(program: str, page: str = "README.md") -> list[str]:
    """A page's commands of one program, each once."""
    found = commands((ROOT / page).read_text(encoding="utf-8"))
    return list(dict.fromkeys(" ".join(words) for words in found if words[0] == program))


@pytest.mark.parametrize("line", dict.fromkeys([*typed("cartwright"), *typed("cartwright", "docs/releases.md")]))
def test_the_command_has_what_is_typed(line: str) -> None:
    assert fault(line.split()) is None


@pytest.mark.parametrize("line", typed("make"))
def test_make_has_the_target(line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = [word for word in line.split()[1:] if not word.startswith("-") and "=" not in word]
    assert set(wanted) <= targets


def test_the_readme_has_commands_of_both() -> None:
    assert len(typed("cartwright")) > 5
    assert len(typed("make")) > 5


def test_the_page_of_releases_has_commands() -> None:
    assert len(typed("cartwright", "docs/releases.md")) > 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cartwright psuh", "no command psuh"),
        ("cartwright up --simulted", "up has no option --simulted"),
        ("cartwright tools fetch X", "tools has no command fetch"),
        ("cartwright promote catalog --from dev --too prod", "apps has no option --too"),
        ("cartwright promote matrx", "promote has no command matrx"),
        ("cartwright promote … --push", None),
        ("cartwright promote set orders --environment dev", "set has no option --environment"),
        ("cartwright images build orders --format=json", None),
        ("cartwright --version", None),
        ("cartwright", None),
    ],
)
def test_a_slip_would_be_found(line: str, said: str | None) -> None:
    assert fault(line.split()) == said
