import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cartwright_kit.testing import ServiceProcess, free_port, start_service

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, pathlib, sys
from fastapi import APIRouter
from cartwright_kit import Resource, ServiceSettings, create_app, run

release, closed = map(pathlib.Path, sys.argv[1:3])
router = APIRouter()

@router.get("/slow")
async def slow() -> str:
    pathlib.Path(str(release) + ".waiting").touch()
    while not release.exists():
        await asyncio.sleep(0.01)
    return "closed" if closed.exists() else "open"

class Pool(Resource):
    name = "pool"
    async def close(self) -> None:
        closed.touch()

def app(settings):
    return create_app(settings, service="shelf", version="1", description="", routers=[router], resources=[Pool()])

raise SystemExit(run(app, ServiceSettings, service="shelf"))
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServiceProcess]:
    program = tmp_path / "shelf.py"
    program.write_text(PROGRAM)
    with start_service(
        [sys.executable, str(program), str(tmp_path / "release"), str(tmp_path / "closed")],
        {"SHUTDOWN_DRAIN_SECONDS": "1", "SHUTDOWN_GRACE_SECONDS": "20"},
        log=tmp_path / "log",
    ) as found:
        yield found


def test_after_sigterm_readiness_is_503_requests_in_flight_end_then_resources_close(
    process: ServiceProcess, tmp_path: Path
) -> None:
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(httpx.get(f"{process.url}/slow", timeout=30)))
    thread.start()
    process.wait_until((tmp_path / "release.waiting").exists)
    process.signal(signal.SIGTERM)
    process.wait_until(lambda: httpx.get(f"{process.url}/readyz").status_code == 503)
    assert httpx.get(f"{process.url}/livez").status_code == 200, "it goes on serving while it drains"
    process.wait_until(lambda: not process.accepts())
    assert not (tmp_path / "closed").exists()
    (tmp_path / "release").touch()
    assert process.wait() == 0
    thread.join()
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, "open")]
    assert (tmp_path / "closed").exists()


def test_a_second_signal_ends_the_draining(process: ServiceProcess) -> None:
    process.signal(signal.SIGTERM)
    process.wait_until(lambda: httpx.get(f"{process.url}/readyz").status_code == 503)
    process.signal(signal.SIGINT)
    assert process.wait() in (0, -signal.SIGINT)


def test_unusable_settings_end_the_process_with_2_before_it_listens(tmp_path: Path) -> None:
    program = tmp_path / "shelf.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "a"), str(tmp_path / "b")],
        env={**os.environ, "PORT": "x", "LOG_LEVEL": "LOUD"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [["shelf", "PORT"], ["shelf", "LOG_LEVEL"]]
    assert done.stdout == ""


def test_a_port_that_is_taken_ends_the_process_with_1(process: ServiceProcess, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(tmp_path / "shelf.py"), str(tmp_path / "a"), str(tmp_path / "b")],
        env={**os.environ, "PORT": str(process.port), "HOST": "127.0.0.1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "address already in use" in done.stdout
    assert free_port() != process.port
