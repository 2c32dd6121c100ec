"""Typing commands for an audience: each is printed, run in the demo's own clone, and held to what it promised."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cartwright.kernel.errors import CartwrightError
from cartwright.kernel.output import stdout

__all__ = ["DemoError", "Person", "Shut", "Stage", "read_shut"]

_SHUT = re.compile(r"^\s*✗ (?P<gate>[a-z]+): (?P<sentence>.*) \[(?P<code>[a-z-]+)\](?: \(until [^)]*\))?$")


class DemoError(CartwrightError):
    """The demo did not show what it promises."""

    exit_code = 1


@dataclass(frozen=True)
class Shut:
    """A gate that stopped a promotion, as the command printed it."""

    gate: str
    code: str
    sentence: str


def read_shut(output: str) -> Iterator[Shut]:
    """The gates that a command named as shut.

    >>> [one.code for one in read_shut("  ✗ freeze: prod is frozen [freeze-decided] (until 2026-01-01T00:00:00Z)")]
    ['freeze-decided']
    """
    for line in output.splitlines():
        found = _SHUT.match(line)
        if found:
            yield Shut(gate=found["gate"], code=found["code"], sentence=found["sentence"])


@dataclass(frozen=True)
class Person:
    """Who types, and how their Git signs."""

    name: str
    address: str
    signing_key: Path | None = None

    def environment(self) -> dict[str, str]:
        """Git's variables for commits of this person, whatever is configured on this machine."""
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", self.name), ("EMAIL", self.address))
        }
        settings = {"commit.gpgSign": "false"}
        if self.signing_key is not None:
            settings = {"commit.gpgSign": "true", "gpg.format": "ssh", "user.signingKey": str(self.signing_key)}
        for number, (key, value) in enumerate(settings.items()):
            who |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return {**who, "GIT_CONFIG_COUNT": str(len(settings))}


@dataclass
class Stage:
    """The demo's clone, who types there, and what has been seen so far."""

    clone: Path
    person: Person
    variables: Mapping[str, str]
    """Added to the environment of every command."""
    seen: list[Shut] = field(default_factory=list)
    """The gates that were shown, each by the promotion that it stopped."""
    _began: float = field(default_factory=time.monotonic)
    _scenes: int = 0

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._began

    def scene(self, title: str) -> None:
        """A headline."""
        self._scenes += 1
        stdout().print(f"\n[bold]{self._scenes}. {title}[/bold]  [dim]({self.seconds:.0f} s)[/dim]")

    def say(self, text: str) -> None:
        """A sentence between two commands."""
        stdout().print(f"   {text}", markup=False)

    def cartwright(
        self,
        *words: str,
        code: int = 0,
        shut: Collection[str] = (),
        shows: str | None = None,
        says: Sequence[str] = (),
        who: Person | None = None,
    ) -> str:
        """Run ``cartwright`` and prove that it ended as it should; returns what it printed.

        Args:
            code: the exit code that it must have.
            shut: the gates that must have stopped it: these, and no others.
            shows: the gate that this is the example of.
            says: what its output must hold.
            who: types it; the stage's person by default.

        Raises:
            DemoError: it ended otherwise.
        """
        command = [sys.executable, "-m", "cartwright", *words]
        output = self.command(command, shown=["cartwright", *words], code=code, who=who)
        found = {one.gate: one for one in read_shut(output)}
        if set(found) != set(shut):
            raise DemoError(f"expected to be stopped by {_list(shut)}, and was by {_list(found)}: {shlex.join(words)}")
        missing = [text for text in says if text not in output]
        if missing:
            raise DemoError(f"does not say '{missing[0]}': {shlex.join(words)}")
        if shows is not None:
            self.seen.append(found[shows])
        return output

    def git(self, *words: str, who: Person | None = None) -> None:
        """Run Git.

        Raises:
            DemoError: it failed.
        """
        self.command(["git", *words], who=who)

    def command(
        self,
        command: Sequence[str | Path],
        *,
        shown: Sequence[str] | None = None,
        code: int = 0,
        who: Person | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> str:
        """Print a command, run it, and print what it says while it says it.

        Raises:
            DemoError: it did not end with this exit code.
        """
        words = [str(word) for word in command]
        note = f"   # as {who.name}, signed" if who and who.signing_key else f"   # as {who.name}" if who else ""
        stdout().print(f"   $ {shlex.join(shown or words)}{note}", style="cyan", markup=False)
        environment = {**os.environ, **self.variables, **(who or self.person).environment(), **(extra or {})}
        lines = []
        # Not through cartwright.kernel.run: an audience reads along, and Ctrl-C is meant for the command, too.
        with subprocess.Popen(
            words,
            cwd=self.clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    stdout().print(f"     {line.rstrip()}", markup=False)
            except BaseException:
                process.terminate()
                raise
        if process.returncode != code:
            raise DemoError(f"ended with {process.returncode}, not with {code}: {shlex.join(shown or words)}")
        return "".join(lines)


def _list(gates: Collection[str]) -> str:
    return ", ".join(sorted(gates)) or "no gate"
