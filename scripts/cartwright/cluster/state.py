"""Where the embedded cluster keeps its files, and the state that one ``up`` leaves for the next."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cartwright.kernel.atomic import write_text
from cartwright.kernel.errors import ClusterError

__all__ = ["Layout", "ProcessRecord", "State", "exclusive"]

_VERSION = 1
_LONGEST_SOCKET_PATH = 100
"""Unix socket paths end at 108 bytes on Linux and 104 on macOS; supervisord adds a suffix while it binds."""


@dataclass(frozen=True)
class Layout:
    """The folders and files of one embedded cluster, all below ``root`` (``.cartwright/`` by default)."""

    root: Path
    """Absolute path of the state folder."""

    @property
    def state_file(self) -> Path:
        """Environments, ports, process ids and versions of what runs."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one ``up``, ``down`` or ``push`` that may change things."""
        return self.root / "lock"

    @property
    def pki(self) -> Path:
        """Authorities, certificates and the components' kubeconfigs."""
        return self.root / "pki"

    @property
    def data(self) -> Path:
        """What etcd and Redis store."""
        return self.root / "data"

    @property
    def config(self) -> Path:
        """Generated configuration of the components."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """One log file per component."""
        return self.root / "logs"

    @property
    def scratch(self) -> Path:
        """Temporary files of the components, the repo-server's checkouts among them."""
        return self.root / "tmp"

    @property
    def remote(self) -> Path:
        """The bare Git repository that Argo CD syncs from."""
        return self.root / "remote.git"

    @property
    def seed_file(self) -> Path:
        """The random bytes that the values of the seeded Secrets derive from."""
        return self.root / "seed"

    @property
    def supervisor_config(self) -> Path:
        """Generated configuration of supervisord."""
        return self.config / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """supervisord's control socket; in the temporary folder where this path would be too long for one."""
        here = self.root / "supervisor.sock"
        if len(str(here).encode()) <= _LONGEST_SOCKET_PATH:
            return here
        name = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"cartwright-{os.getuid()}-{name}.sock"

    def content(self) -> list[Path]:
        """All that ``up`` keeps here. Nothing else in the folder is ours to remove."""
        return [
            *(self.pki, self.data, self.config, self.logs, self.scratch, self.remote),
            *(self.seed_file, self.state_file, self.lock_file, self.root / "supervisord.pid"),
            *self.root.glob("kubeconfig-*.yaml"),
            *self.root.glob(".*.new"),
        ]

    def kubeconfig(self, environment: str) -> Path:
        """The administrator's kubeconfig for one environment's cluster."""
        return self.root / f"kubeconfig-{environment}.yaml"


@dataclass(frozen=True)
class ProcessRecord:
    """A process that ``up`` started."""

    pid: int
    """Process id."""
    started: float
    """When it started (seconds since the epoch), so that a process id used again is not taken for it."""


@dataclass(frozen=True)
class State:
    """What ``up`` has started. Written before anything runs, so that a killed ``up`` leaves a trace."""

    environments: tuple[str, ...] = ()
    """Environments whose clusters run, in rank order."""
    hub: str = ""
    """The environment whose cluster holds Argo CD."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Port of each listener on 127.0.0.1, by name."""
    processes: Mapping[str, ProcessRecord] = field(default_factory=dict)
    """Each component's process as last seen."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version of each tool that runs."""
    real: bool = False
    """Whether the hub's cluster has a real node."""

    @classmethod
    def load(cls, layout: Layout) -> State | None:
        """The state that the last ``up`` left; None where there is none.

        Raises:
            ClusterError: the file is there and can't be understood.
        """
        try:
            raw = json.loads(layout.state_file.read_text(encoding="utf-8"))
            if raw["version"] != _VERSION:
                raise ClusterError(
                    f"{layout.state_file}: version {raw['version']}, not {_VERSION}; `cartwright down` removes it"
                )
            return cls(
                environments=tuple(raw["environments"]),
                hub=raw["hub"],
                ports=dict(raw["ports"]),
                processes={name: ProcessRecord(**record) for name, record in raw["processes"].items()},
                versions=dict(raw["versions"]),
                real=raw.get("real", False),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClusterError(f"{layout.state_file}: can't be read ({error}); `cartwright down` removes it") from error

    @classmethod
    def of_running(cls, layout: Layout) -> State:
        """The state of the cluster that runs.

        Raises:
            ClusterError: none does, or the state can't be understood.
        """
        state = cls.load(layout)
        if state is None or not state.environments:
            raise ClusterError("the embedded cluster does not run; `cartwright up` starts it")
        return state

    def stopped(self) -> State:
        """What the next ``up`` goes on with where the data is kept: objects in etcd name these ports."""
        return State(ports=self.ports)

    def save(self, layout: Layout) -> None:
        """Write the state in one step: a killed ``up`` leaves the old file or the new one, never half of one."""
        layout.root.mkdir(parents=True, exist_ok=True)
        write_text(layout.state_file, json.dumps({"version": _VERSION, **asdict(self)}, indent=2) + "\n")


@contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Keep a second ``up``, ``down`` or ``push`` out. The lock ends with the process, however it ends.

    Raises:
        ClusterError: another one holds it.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.lock_file.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ClusterError(
                f"another `cartwright up`, `down` or `push` (pid {file.read().strip() or '?'}) "
                f"is working on {layout.root}"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
