"""``make demo-promotion``: a release from dev to prod past every kind of gate, a rollback that holds, and the record.

Nothing is acted: the commands are those of `cartwright promote`, Argo CD is the real one, and so are the scheduler that
finds no node for a bad release and the Job controller that gives up on a smoke test. Pods alone are simulated.
"""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cartwright.cluster.state import Layout, State
from cartwright.demo import rehearsal
from cartwright.demo.registry import Registry, serve
from cartwright.demo.stage import DemoError, Person, Stage
from cartwright.errors import ToolError, UserError
from cartwright.output import stdout
from cartwright.paths import state_dir
from cartwright.promotion.argo import AppState, Hub
from cartwright.promotion.gates import GATES
from cartwright.run import run
from cartwright.tools import require

__all__ = ["show"]

_SECONDS = 180
"""How long Argo CD gets to bring a commit about; a busy machine takes its time."""
_PLATFORM = Person("Platform Team", "platform-team@example.com")
_SOMEBODY = Person("Somebody", "somebody@example.com")
_STAGING = ("--from", "dev", "--to", "staging", "--push")
_PROD = ("--from", "staging", "--to", "prod", "--push")


@dataclass(frozen=True)
class _Play:
    """What the scenes have in common."""

    stage: Stage
    registry: Registry
    layout: Layout
    cosign: Path
    kubectl: Path
    keys: Path
    """A folder with ``cosign.key``, and the approver's key ``approver``."""

    @property
    def approver(self) -> Person:
        return Person("Release Team", "release-team@example.com", signing_key=self.keys / "approver")

    def hub(self) -> Hub:
        state = State.load(self.layout)
        if state is None:
            raise DemoError(f"no cluster runs in {self.layout.root}")
        return Hub(kubeconfig=self.layout.kubeconfig(state.hub))

    def sign(self, app: str, digest: str) -> None:
        """Sign an image, as a pipeline does after its push."""
        words = ["sign", "--yes", "--key", "cosign.key", "--tlog-upload=false", "--use-signing-config=false"]
        image = f"{self.registry.image(app)}@{digest}"
        self.stage.say(f"$ cosign {' '.join(words)} {image}")
        run([self.cosign, *words, image], cwd=self.keys, env={"COSIGN_PASSWORD": ""})

    def await_app(self, environment: str, app: str, digest: str, *, health: str = "Healthy") -> None:
        """Wait until Argo CD has brought a digest about and says this of its health."""
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


def show(root: Path, *, use_running: bool) -> None:
    """Show it all.

    Args:
        root: the repository; what is committed there is what is shown, and nothing there changes.
        use_running: use this repository's running cluster in place of one that comes and goes with the demo.

    Raises:
        DemoError: something did not end as it should.
        UserError, ToolError: it could not start.
    """
    tools = require(["cosign", "kubectl"])
    _need("ssh-keygen")
    signal.signal(signal.SIGTERM, _stop)
    # A short name: Unix sockets below it have little room.
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-demo-")))
        layout = _running(root) if use_running else Layout(folder / "state")
        stage = Stage(
            clone=folder / "shop",
            person=_PLATFORM,
            variables={
                "CARTWRIGHT_STATE": str(layout.root),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "NO_PROXY": "127.0.0.1,localhost",
                "no_proxy": "127.0.0.1,localhost",
            },
        )
        for name in ("CARTWRIGHT_KUBECONFIG", "CARTWRIGHT_CONTEXT"):
            os.environ.pop(name, None)
        play = _Play(
            stage=stage,
            registry=stack.enter_context(serve(folder / "registry")),
            layout=layout,
            cosign=tools["cosign"],
            kubectl=tools["kubectl"],
            keys=folder / "keys",
        )
        digests = _set_up(play, layout.remote if use_running else root)
        stack.enter_context(_cluster(play, use_running=use_running))
        _act(play, digests)
        _summary(stage)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise ToolError(f"{program} is missing; an approval is signed with it (Debian: apt-get install openssh-client)")


def _running(root: Path) -> Layout:
    layout = Layout(state_dir(root).resolve())
    state = State.load(layout)
    if state is None or set(state.environments) < set(rehearsal.ENVIRONMENTS):
        raise UserError("no cluster with dev, staging and prod runs", hint="leave --use-running out")
    if state.real:
        raise UserError("the cluster has a real node, and the demo's images are empty", hint="leave --use-running out")
    return layout


def _set_up(play: _Play, source: Path) -> dict[str, str]:
    """The clone with its one commit, images and keys; returns the digests of release 1.0.0."""
    stage, registry = play.stage, play.registry
    stage.scene("Set up: a clone, a registry, two keys, and gates of seconds")
    run(["git", "clone", "--quiet", "--no-hardlinks", source, stage.clone])
    run(["git", "checkout", "--quiet", "-B", "main"], cwd=stage.clone)
    play.keys.mkdir(mode=0o700)
    run([play.cosign, "generate-key-pair"], cwd=play.keys, env={"COSIGN_PASSWORD": ""})
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", play.keys / "approver"])
    digests = {app: registry.push(app, "1.0.0", content=f"{app} 1.0.0") for app in rehearsal.APPS}
    play.sign("catalog", digests["catalog"])
    approver = play.approver.address
    public = (play.keys / "approver.pub").read_text(encoding="utf-8")
    rehearsal.prepare(
        stage.clone,
        registry,
        digests,
        keys={
            "cosign.pub": (play.keys / "cosign.pub").read_text(encoding="utf-8"),
            "APPROVERS": f"* {approver}\n",
            "approvers.keys": f"{approver} {public}",
        },
    )
    stage.cartwright("policy", "build")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "--message", "The demo's gates, and release 1.0.0 from its registry")
    run(["git", "remote", "set-url", "origin", play.layout.remote.as_uri()], cwd=stage.clone)
    return digests


@contextmanager
def _cluster(play: _Play, *, use_running: bool) -> Iterator[None]:
    """The embedded cluster, with the clone's commit live."""
    stage = play.stage
    remote = play.layout.remote
    if use_running:
        stage.scene("The running cluster gets the demo's branch")
        before = run(["git", "rev-parse", "refs/heads/main"], cwd=remote).stdout.strip()
        try:
            stage.git("push", "--quiet", "origin", "main")
            run(["git", "branch", "--quiet", "--set-upstream-to=origin/main"], cwd=stage.clone)
            _await_all(play)
            yield
        finally:
            stage.scene("The branch goes back to where it was")
            run(["git", "push", "--quiet", "--force", remote, f"{before}:refs/heads/main"], cwd=stage.clone)
        return
    try:
        stage.scene("A cluster for each environment, with Argo CD")
        stage.cartwright("up", "--timeout", "600")
        run(["git", "fetch", "--quiet", "origin"], cwd=stage.clone)
        run(["git", "branch", "--quiet", "--set-upstream-to=origin/main"], cwd=stage.clone)
        yield
    finally:
        stage.scene("Everything goes")
        stage.cartwright("down")


def _await_all(play: _Play) -> None:
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


def _act(play: _Play, digests: dict[str, str]) -> None:
    new = {app: play.registry.push(app, "1.1.0", content=f"{app} 1.1.0") for app in rehearsal.APPS}
    _to_dev(play, new)
    _to_staging(play, new)
    _bad_releases(play, new)
    _to_prod(play, new)
    _rollback(play, old=digests["catalog"])
    _record(play)


def _to_dev(play: _Play, new: dict[str, str]) -> None:
    stage, image = play.stage, play.registry.image
    stage.scene("A build's release goes to dev; nothing may follow it yet")
    stage.cartwright("promote", "set", "catalog", "--env", "dev", "--image", f"{image('catalog')}:1.1.0", "--push")
    stage.cartwright(
        "promote", "catalog", *_STAGING, code=1, shut={"soak", "health", "verification", "signatures"}, shows="soak"
    )
    stage.scene("Past staging, straight to prod: the order holds")
    stage.cartwright(
        *("promote", "set", "catalog", "--env", "prod", "--image", f"{image('catalog')}:1.1.0", "--push"),
        code=1,
        shut={"upstream", "soak", "health", "approvals", "signatures"},
        shows="upstream",
    )
    stage.scene("Two bad releases in dev: one asks for nodes that there are not, the other's smoke test fails")
    smoke = play.registry.push("smoke", "1.0.0", content="smoke test")
    change = partial(rehearsal.break_in_dev, smoke=f"{image('smoke')}:1.0.0@{smoke}")
    _commit_by_hand(stage, change, "orders: nodes of another pool; gateway: a smoke test")
    for app in ("orders", "gateway"):
        play.sign(app, new[app])
        stage.cartwright("promote", "set", app, "--env", "dev", "--image", f"{image(app)}:1.1.0", "--push")


def _to_staging(play: _Play, new: dict[str, str]) -> None:
    stage, digest = play.stage, new["catalog"]
    promote = ("promote", "catalog", *_STAGING)
    stage.scene("It is healthy and has soaked; but nobody signed it")
    play.await_app("dev", "catalog", digest)
    _soak(play, "dev", 30)
    stage.cartwright(*promote, code=1, shut={"signatures"}, shows="signatures")
    play.sign("catalog", digest)
    stage.scene("Somebody pushes another build to the same tag")
    play.registry.push("catalog", "1.1.0", content="catalog 1.1.0, built again")
    stage.cartwright(*promote, code=1, shut={"registry"}, shows="registry")
    stage.scene("The tag is put back: dev → staging")
    play.registry.tag("catalog", digest, "1.1.0")
    stage.cartwright(*promote)


def _bad_releases(play: _Play, new: dict[str, str]) -> None:
    stage = play.stage
    stage.scene("The bad releases stay in dev: what Argo CD says of them, and of the smoke test")
    play.await_app("dev", "orders", new["orders"], health="Degraded")
    stage.cartwright("promote", "orders", *_STAGING, code=1, shut={"health"}, shows="health")
    play.await_app("dev", "gateway", new["gateway"], health="Degraded")
    stage.cartwright("promote", "gateway", *_STAGING, code=1, shut={"health", "verification"}, shows="verification")


def _to_prod(play: _Play, new: dict[str, str]) -> None:
    stage, digest = play.stage, new["catalog"]
    promote = ("promote", "catalog", *_PROD)
    stage.scene("staging → prod: somebody has to say yes")
    play.await_app("staging", "catalog", digest)
    _soak(play, "staging", 10)
    stage.cartwright(*promote, code=1, shut={"approvals"}, shows="approvals")
    stage.cartwright("promote", "approve", "catalog", *_PROD, who=play.approver)
    stage.scene("A hold, a freeze that people decided, and a window that comes each day")
    stage.cartwright("promote", "hold", "catalog", "--env", "prod", "--reason", "stocktaking", "--for", "1h", "--push")
    stage.cartwright(*promote, code=1, shut={"hold"}, shows="hold")
    stage.cartwright("promote", "release-hold", "catalog", "--env", "prod", "--reason", "counted", "--push")
    stage.cartwright("promote", "freeze", "--env", "prod", "--reason", "network outage", "--for", "1h", "--push")
    stage.cartwright(*promote, code=1, shut={"freeze"}, shows="freeze", says=["[freeze-decided]"])
    stage.cartwright("promote", "unfreeze", "--env", "prod", "--reason", "network is back", "--push")
    _commit_by_hand(stage, partial(rehearsal.open_window, environment="prod"), "prod: a window for the sale")
    stage.cartwright(*promote, code=1, shut={"freeze"}, says=["[freeze-window]"])
    _commit_by_hand(stage, partial(rehearsal.close_window, environment="prod"), "prod: the sale is over")
    stage.scene("Every gate is open: staging → prod")
    stage.cartwright(*promote)
    play.await_app("prod", "catalog", digest)


def _rollback(play: _Play, *, old: str) -> None:
    stage = play.stage
    stage.scene("A rollback, and automation that would undo it")
    stage.cartwright(
        *("promote", "rollback", "catalog", "--env", "prod", "--reason", "search times out", "--hold", "1h", "--push")
    )
    stage.cartwright("promote", "--all", *_PROD, code=1, shut={"hold"}, says=["search times out"])
    play.await_app("prod", "catalog", old)


def _record(play: _Play) -> None:
    stage = play.stage
    stage.scene("What happened")
    stage.git("pull", "--quiet", "--ff-only")
    words = ["git", "log", "-1", "--format=%ct", "--", "environments/record.yaml"]
    begun = datetime.datetime.fromtimestamp(int(run(words, cwd=stage.clone).stdout) + 1, tz=datetime.UTC)
    since = begun.isoformat()
    stage.cartwright("promote", "history", "catalog", "--limit", "9", says=["search times out"])
    stage.cartwright("promote", "matrix", *rehearsal.APPS, shut=(), says=["search times out"])
    # From the set-up on: what this repository did before is not the demo's.
    stage.cartwright("promote", "metrics", "catalog", "--since", since, "--argocd", says=["1 (100%)"])
    stage.cartwright("promote", "verify", says=["came through"])
    stage.scene("Somebody goes past the gates by hand: verify names commit and author")
    file = "environments/prod/shop/orders/kustomization.yaml"
    with rehearsal.edit(stage.clone / file) as content:
        content["images"][0].update(newTag="1.1.0", digest="sha256:" + "5" * 64)
    stage.git("commit", "--quiet", "--all", "--message", "orders 1.1.0", who=_SOMEBODY)
    stage.cartwright("promote", "verify", code=1, says=[f"{file}: commit", _SOMEBODY.address, "hand-edit"])


def _soak(play: _Play, environment: str, seconds: int) -> None:
    """Wait out what is left of catalog's soak in an environment."""
    clone, overlay = play.stage.clone, f"environments/{environment}/shop/catalog"
    run(["git", "fetch", "--quiet", "origin"], cwd=clone)
    landed = int(run(["git", "log", "-1", "--format=%ct", "origin/main", "--", overlay], cwd=clone).stdout)
    left = landed + seconds + 1 - time.time()
    if left > 0:
        play.stage.say(f"{left:.0f} s of its soak are left")
        time.sleep(left)


def _commit_by_hand(stage: Stage, change: Callable[[Path], None], message: str) -> None:
    """A commit that a person makes with Git alone."""
    stage.git("pull", "--quiet", "--ff-only")
    change(stage.clone)
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "--message", message)
    stage.git("push", "--quiet")


def _summary(stage: Stage) -> None:
    missing = set(GATES) - set(stage.seen)
    if missing:
        raise DemoError(f"no promotion was stopped by {', '.join(sorted(missing))}")
    console = stdout()
    console.print(f"\n[bold]Each of the {len(GATES)} gates stopped a promotion[/bold]")
    for gate in GATES:
        one = stage.seen[gate]
        console.print(f"   {gate:<13} {one.sentence} [{one.code}]", markup=False)
    console.print(
        "   Argo CD, schedulers, Jobs, admission, Git, registry and signatures were real; pods were simulated, so no "
        "image was pulled.",
        markup=False,
    )
    console.print(f"   Everything ended as it should, after {stage.seconds:.0f} s.", markup=False)
