"""Where the demo plays: a clone, a registry, keys, and a cluster that comes and goes with it or runs already."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cartwright.cluster.state import Layout, State
from cartwright.demo import rehearsal
from cartwright.demo.imagestore import Registry, serve
from cartwright.demo.stage import DemoError, Person, Stage
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.paths import state_dir
from cartwright.kernel.run import run
from cartwright.promotion.argo import AppState, Hub
from cartwright.tools import require

__all__ = ["Play", "opened"]

_SECONDS = 180
"""How long Argo CD gets to bring a commit about; a busy machine takes its time."""
_PLATFORM = Person("Platform Team", "platform-team@example.com")


@dataclass(frozen=True)
class Play:
    """What the scenes have in common."""

    stage: Stage
    registry: Registry
    layout: Layout
    cosign: Path
    kubectl: Path
    keys: Path
    """A folder with ``cosign.key``, and the approver's key ``approver``."""
    digests: dict[str, str] = field(default_factory=dict)
    """Of release 1.0.0 of each app, which every environment runs when the curtain rises."""

    @property
    def approver(self) -> Person:
        """Who may say yes to a release, and signs that."""
        return Person("Release Team", "release-team@example.com", signing_key=self.keys / "approver")

    def hub(self) -> Hub:
        """Where Argo CD is asked.

        Raises:
            ClusterError: the cluster is gone.
        """
        return Hub(kubeconfig=self.layout.kubeconfig(State.of_running(self.layout).hub))

    def sign(self, app: str, digest: str) -> None:
        """Sign an image, as a pipeline does after its push."""
        words = ["sign", "--yes", "--key", "cosign.key", "--tlog-upload=false", "--use-signing-config=false"]
        image = f"{self.registry.image(app)}@{digest}"
        self.stage.say(f"$ cosign {' '.join(words)} {image}")
        run([self.cosign, *words, image], cwd=self.keys, env={"COSIGN_PASSWORD": ""})

    def await_app(self, environment: str, app: str, digest: str, *, health: str = "Healthy") -> None:
        """Wait until Argo CD has brought a digest about and says this of its health.

        Raises:
            DemoError: it did not within three minutes; says what it says instead.
        """
        name, began, state = f"{environment}-shop-{app}", time.monotonic(), None
        while time.monotonic() - began < _SECONDS:
            state = self.hub().read([name]).get(name)
            if state is not None and _is_settled(state, digest, health):
                self.stage.say(f"Argo CD: {name} is Synced and {health} ({time.monotonic() - began:.0f} s)")
                return
            time.sleep(0.5)
        said = f"{state.sync} {state.health}, {state.phase} {state.message}" if state else "not there"
        raise DemoError(f"{name} is not Synced and {health} at {digest[:19]} after {_SECONDS} s: {said}")


def _is_settled(state: AppState, digest: str, health: str) -> bool:
    live = any(image.endswith(digest) for image in state.images)
    return live and (state.sync, state.phase, state.health) == ("Synced", "Succeeded", health)


@contextmanager
def opened(root: Path, *, use_running: bool) -> Iterator[Play]:
    """Everything that the scenes need, with release 1.0.0 live in every environment; gone afterwards.

    Args:
        root: the repository; what is committed there is what is shown, and nothing there changes.
        use_running: use this repository's running cluster in place of one that comes and goes with the demo.

    Raises:
        UserError, ToolError, DemoError: it could not start.
    """
    tools = require(["cosign", "kubectl"])
    if shutil.which("ssh-keygen") is None:
        raise ToolError("ssh-keygen is missing, and signs the approvals (Debian: apt-get install openssh-client)")
    signal.signal(signal.SIGTERM, _stop)
    with ExitStack() as stack:
        # A short name: Unix sockets below it have little room.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-demo-")))
        layout = _running(root) if use_running else Layout(folder / "state")
        for name in ("CARTWRIGHT_KUBECONFIG", "CARTWRIGHT_CONTEXT"):
            os.environ.pop(name, None)
        variables = {"CARTWRIGHT_STATE": str(layout.root), "GIT_CONFIG_GLOBAL": os.devnull}
        variables |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        play = Play(
            stage=Stage(clone=folder / "shop", person=_PLATFORM, variables=variables),
            registry=stack.enter_context(serve(folder / "registry")),
            layout=layout,
            cosign=tools["cosign"],
            kubectl=tools["kubectl"],
            keys=folder / "keys",
        )
        _set_up(play, layout.remote if use_running else root)
        stack.enter_context(_cluster(play, use_running=use_running))
        yield play


def _stop(*_: object) -> None:
    """End as Ctrl-C does, with everything taken down."""
    raise KeyboardInterrupt


def _running(root: Path) -> Layout:
    layout = Layout(state_dir(root).resolve())
    state = State.load(layout)
    if state is None or not set(rehearsal.ENVIRONMENTS) <= set(state.environments):
        raise UserError("no cluster with dev, staging and prod runs", hint="leave --use-running out")
    if state.real:
        raise UserError(
            "the cluster has a real node, which can't run the demo's empty images", hint="leave --use-running out"
        )
    return layout


def _set_up(play: Play, source: Path) -> None:
    """The clone with its one commit, images and keys."""
    stage, registry = play.stage, play.registry
    stage.scene("Set up: a clone, a registry, two keys, and gates of seconds")
    run(["git", "clone", "--quiet", "--no-hardlinks", source, stage.clone])
    # History begins anew, so that the record tells of the demo alone.
    run(["git", "checkout", "--quiet", "--orphan", "demo"], cwd=stage.clone)
    play.keys.mkdir(mode=0o700)
    run([play.cosign, "generate-key-pair"], cwd=play.keys, env={"COSIGN_PASSWORD": ""})
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", play.keys / "approver"])
    play.digests.update({app: registry.push(app, "1.0.0", content=f"{app} 1.0.0") for app in rehearsal.APPS})
    play.sign("catalog", play.digests["catalog"])
    approver = play.approver.address
    public = (play.keys / "approver.pub").read_text(encoding="utf-8")
    rehearsal.prepare(
        stage.clone,
        registry,
        play.digests,
        keys={
            "cosign.pub": (play.keys / "cosign.pub").read_text(encoding="utf-8"),
            "APPROVERS": f"* {approver}\n",
            "approvers.keys": f"{approver} {public}",
        },
    )
    stage.cartwright("policy", "build")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "--message", "The demo's gates, and release 1.0.0 from its registry")
    run(["git", "branch", "--quiet", "-M", "main"], cwd=stage.clone)
    run(["git", "remote", "set-url", "origin", play.layout.remote.as_uri()], cwd=stage.clone)


@contextmanager
def _cluster(play: Play, *, use_running: bool) -> Iterator[None]:
    """The embedded cluster, with the clone's commit live."""
    stage = play.stage
    remote = play.layout.remote
    if use_running:
        stage.scene("The running cluster gets the demo's branch")
        before = run(["git", "rev-parse", "refs/heads/main"], cwd=remote).stdout.strip()
        try:
            stage.git("push", "--quiet", "--force", "origin", "main")
            run(["git", "branch", "--quiet", "--set-upstream-to=origin/main"], cwd=stage.clone)
            _await_all(play)
            yield
        finally:
            stage.scene("The branch goes back to where it was")
            run(["git", "push", "--quiet", "--force", remote, f"{before}:refs/heads/main"], cwd=stage.clone)
        return
    try:
        stage.scene("A cluster for each environment, with Argo CD")
        stage.cartwright("up", "--simulated", "--timeout", "600")
        run(["git", "fetch", "--quiet", "origin"], cwd=stage.clone)
        run(["git", "branch", "--quiet", "--set-upstream-to=origin/main"], cwd=stage.clone)
        yield
    finally:
        stage.scene("Everything goes")
        stage.cartwright("down")


def _await_all(play: Play) -> None:
    """Wait until the shop runs what the clone has committed, in a cluster that ran something else."""
    commit = run(["git", "rev-parse", "HEAD"], cwd=play.stage.clone).stdout.strip()
    names = [f"{environment}-shop-{app}" for environment in rehearsal.ENVIRONMENTS for app in rehearsal.APPS]
    hub, began = play.hub(), time.monotonic()
    while time.monotonic() - began < _SECONDS:
        good = (commit, "Synced", "Healthy")
        found = hub.read(names)
        late = [one for one in names if one not in found or _seen(found[one]) != good]
        if not late:
            return
        # Compared before admission knew of the demo's registry, an Application is not compared again by itself.
        words = ["annotate", "--overwrite", "applications.argoproj.io", *late, "argocd.argoproj.io/refresh=normal"]
        run([play.kubectl, f"--kubeconfig={hub.kubeconfig}", "--namespace=argocd", *words], accept=(0, 1))
        time.sleep(5)
    raise DemoError(f"the shop is not Synced and Healthy at {commit[:7]} after {_SECONDS} s (`cartwright status`)")


def _seen(state: AppState) -> tuple[str, str, str]:
    return state.revision, state.sync, state.health
