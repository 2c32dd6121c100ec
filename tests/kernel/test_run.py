"""cartwright.kernel.run: the one place that starts programs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run


def test_output_and_code_of_a_program_are_returned() -> None:
    done = run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], accept=(3,)
    )
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


def test_a_code_that_is_not_accepted_names_the_program_and_its_last_words() -> None:
    with pytest.raises(ToolError, match=r"^python\S* ended with code 7: broken$"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('broken'); sys.exit(7)"])


def test_a_missing_program_points_to_doctor() -> None:
    with pytest.raises(ToolError, match=r"^no-such-program: not found; `cartwright doctor` says what to install$"):
        run(["no-such-program"])


def test_a_time_out_kills_the_children_too(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    script = f"(while true; do date > {alive}; sleep 0.05; done) & wait"
    with pytest.raises(ToolError, match=r"^bash: timed out after 0\.5 s and was killed"):
        run(["bash", "-c", script], timeout=0.5)
    alive.unlink()
    time.sleep(0.3)  # time in which a surviving child would have written it again several times
    assert not alive.exists()


def test_variables_are_added_to_the_environment() -> None:
    code = "import os; print(os.environ['ADDED'], 'PATH' in os.environ)"
    assert run([sys.executable, "-c", code], env={"ADDED": "yes"}).stdout == "yes True\n"
