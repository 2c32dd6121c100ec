"""The process around an application: settings, logs, uvicorn, and an orderly end."""

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from cartwright_kit.health import Lifecycle
from cartwright_kit.logs import configure_logging
from cartwright_kit.settings import ConfigurationError, ServiceSettings, SettingsT, load_settings

_log = structlog.stdlib.get_logger(__name__)


def run(create_app: Callable[[SettingsT], FastAPI], settings_type: type[SettingsT], *, service: str) -> int:
    """The command `python -m <service>`: serve until told to stop.

    Returns the exit code: 0 after an orderly end, 1 if the server could not start, 2 if the settings are unusable,
    each unusable variable named on a line of stderr.
    """
    try:
        settings = load_settings(settings_type)
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"{service}: {problem}", file=sys.stderr)  # noqa: T201  no logging without settings
        return 2
    if not isinstance(settings, ServiceSettings):
        raise TypeError(f"{settings_type.__name__} must derive from ServiceSettings")
    configure_logging(service=service, level=settings.log_level)
    app = create_app(settings)
    server = DrainingServer(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,  # RequestMiddleware writes the line, with ids
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        ),
        lifecycle=app.state.lifecycle,
        drain_seconds=settings.shutdown_drain_seconds,
    )
    try:
        server.run()
    except SystemExit:  # how uvicorn ends when it cannot listen; it has logged why
        return 1
    return 0 if server.started else 1


class DrainingServer(uvicorn.Server):
    """A server that, told to stop, first says so and goes on serving for a while.

    Whoever routes to this process learns from readiness, or from the endpoint's removal, that it ends; until then
    new connections still arrive and must be served. A second signal, or SIGINT, ends the wait.
    """

    def __init__(self, config: uvicorn.Config, *, lifecycle: Lifecycle, drain_seconds: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._drain_seconds = drain_seconds
        self._stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain on the first SIGTERM; leave every further signal to uvicorn."""
        if sig == signal.SIGTERM and self._stop_at is None:
            self._lifecycle.draining = True
            self._stop_at = time.monotonic() + self._drain_seconds
            return
        self._lifecycle.draining = True
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn; true ends the serving."""
        ends = await super().on_tick(counter)
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            _log.info("drained", seconds=self._drain_seconds)
            return True
        return ends
