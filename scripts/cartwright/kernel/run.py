"""The one place that starts short-lived programs.

Long-lived ones (the embedded cluster's components) belong to the process supervisor, see ``cartwright.cluster``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import ToolError

__all__ = ["SHORT_LIVED", "Completed", "run", "run_bytes"]

SHORT_LIVED: Mapping[str, str] = {"GOGC": "400"}
"""Variables for a Go program that ends soon: collecting garbage seldom saves a quarter of its time."""
_TAIL_LINES = 15


@dataclass(frozen=True)
class Completed:
    """How a program ended."""

    args: tuple[str, ...]
    """The command line as it was started."""
    returncode: int
    """Exit code; one of those that the caller accepted."""
    stdout: str
    """Everything it wrote to standard output, as UTF-8 with undecodable bytes replaced."""
    stderr: str
    """The same for standard error."""


def run(
    args: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    accept: Sequence[int] = (0,),
    timeout: float = 300.0,
) -> Completed:
    """Run a program to its end and return what it wrote.

    Args:
        args: program and arguments; no shell reads them.
        cwd: the folder to run in; the current one by default.
        env: variables to add to this process's environment.
        stdin: text (UTF-8) or bytes to feed; nothing by default, so that no program waits for a terminal.
        accept: exit codes that mean success.
        timeout: seconds until the program and all its children are killed.

    Raises:
        ToolError: the program is missing, ended with another code, or ran out of time.
    """
    returncode, out, err = _run(args, cwd=cwd, env=env, stdin=stdin, accept=accept, timeout=timeout)
    return Completed(
        args=tuple(str(word) for word in args),
        returncode=returncode,
        stdout=out.decode(errors="replace"),
        stderr=err.decode(errors="replace"),
    )


def run_bytes(
    args: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    timeout: float = 300.0,
) -> bytes:
    """Run a program as :func:`run` does and return its standard output byte for byte: contents, lengths and offsets.

    Raises:
        ToolError: see :func:`run`.
    """
    return _run(args, cwd=cwd, env=env, stdin=stdin, accept=(0,), timeout=timeout)[1]


def _run(
    args: Sequence[str | Path],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: str | bytes | None,
    accept: Sequence[int],
    timeout: float,
) -> tuple[int, bytes, bytes]:
    words = [str(word) for word in args]
    name = Path(words[0]).name
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # its own process group, so that a time-out takes the children too
        )
    except FileNotFoundError as error:
        raise ToolError(f"{name}: not found; `cartwright doctor` says what to install") from error
    except OSError as error:
        raise ToolError(f"{name}: {error.strerror}") from error
    try:
        out, err = process.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _kill_group(process)
        raise ToolError(f"{name}: timed out after {timeout:g} s and was killed ({' '.join(words)})") from error
    except BaseException:
        _kill_group(process)
        raise
    if process.returncode not in accept:
        said = err.decode(errors="replace").strip() or out.decode(errors="replace").strip()
        tail = "\n".join(said.splitlines()[-_TAIL_LINES:])
        raise ToolError(f"{name} ended with code {process.returncode}: {tail}")
    return process.returncode, out, err


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its children, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
