"""``make demo-promotion``: a release from dev to prod past every kind of gate, a rollback that holds, and the record.

Nothing is acted: the commands are those of `cartwright promote`, Argo CD is the real one, and so are the scheduler that
finds no node for a bad release and the Job controller that gives up on a smoke test. Pods alone are simulated.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cartwright.demo import rehearsal
from cartwright.demo.play import Play, opened
from cartwright.demo.stage import DemoError, Person, Stage
from cartwright.kernel.output import stdout
from cartwright.kernel.run import run
from cartwright.promotion.gates import GATES

__all__ = ["show"]

_SOMEBODY = Person("Somebody", "somebody@example.com")
_STAGING = ("--from", "dev", "--to", "staging", "--push")
_PROD = ("--from", "staging", "--to", "prod", "--push")


def show(root: Path, *, use_running: bool) -> None:
    """Show it all. What is committed is what is shown; nothing of the repository changes.

    Args:
        root: the repository.
        use_running: use its running cluster, whose branch is put back afterwards, in place of one of the demo's own.

    Raises:
        DemoError: something did not end as it should.
        UserError, ToolError: it could not start.
    """
    with opened(root, use_running=use_running) as play:
        _act(play)
        _summary(play.stage)


def _act(play: Play) -> None:
    new = {app: play.registry.push(app, "1.1.0", content=f"{app} 1.1.0") for app in rehearsal.APPS}
    _to_dev(play, new)
    _to_staging(play, new)
    _bad_releases(play, new)
    _to_prod(play, new)
    _rollback(play, old=play.digests["catalog"])
    _record(play)


def _to_dev(play: Play, new: dict[str, str]) -> None:
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


def _to_staging(play: Play, new: dict[str, str]) -> None:
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


def _bad_releases(play: Play, new: dict[str, str]) -> None:
    stage = play.stage
    stage.scene("The bad releases stay in dev: what Argo CD says of them, and of the smoke test")
    play.await_app("dev", "orders", new["orders"], health="Degraded")
    stage.cartwright("promote", "orders", *_STAGING, code=1, shut={"health"}, shows="health")
    play.await_app("dev", "gateway", new["gateway"], health="Degraded")
    stage.cartwright("promote", "gateway", *_STAGING, code=1, shut={"health", "verification"}, shows="verification")


def _to_prod(play: Play, new: dict[str, str]) -> None:
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
    window = partial(rehearsal.open_window, environment="prod", now=datetime.datetime.now(datetime.UTC))
    _commit_by_hand(stage, window, "prod: a window for the sale")
    stage.cartwright(*promote, code=1, shut={"freeze"}, shows="freeze", says=["[freeze-window]"])
    _commit_by_hand(stage, partial(rehearsal.close_window, environment="prod"), "prod: the sale is over")
    # A window that is taken out by hand stays in force until whoever approves prod's releases approves that, too.
    stage.cartwright(*promote, code=1, shut={"freeze"}, says=["[freeze-window]"])
    stage.cartwright(
        *("promote", "approve-gates", "--env", "prod", "--reason", "the sale is over", "--push"), who=play.approver
    )
    stage.scene("Every gate is open: staging → prod")
    stage.cartwright(*promote)
    play.await_app("prod", "catalog", digest)


def _rollback(play: Play, *, old: str) -> None:
    stage = play.stage
    stage.scene("A rollback, and automation that would undo it")
    stage.cartwright(
        *("promote", "rollback", "catalog", "--env", "prod", "--reason", "search times out", "--hold", "1h", "--push")
    )
    stage.cartwright("promote", "--all", *_PROD, code=1, shut={"hold"}, says=["search times out"])
    play.await_app("prod", "catalog", old)


def _record(play: Play) -> None:
    stage = play.stage
    stage.scene("What happened")
    stage.git("pull", "--quiet", "--ff-only")
    stage.cartwright("promote", "history", "catalog", says=["search times out"])
    stage.cartwright("promote", "matrix", *rehearsal.APPS, shut=(), says=["search times out"])
    stage.cartwright("promote", "metrics", "catalog", "--since", "1h", "--argocd", says=["1 (100%)"])
    stage.cartwright("promote", "verify", says=["3 changes in staging, prod: all came through"])
    stage.scene("Somebody goes past the gates by hand: verify names commit and author")
    source = play.registry.image("orders")
    file = rehearsal.pin(stage.clone, "prod", "orders", source=source, tag="1.1.0", digest="sha256:" + "5" * 64)
    stage.git("commit", "--quiet", "--all", "--message", "orders 1.1.0", who=_SOMEBODY)
    stage.cartwright("promote", "verify", code=1, says=[f"{file}: commit", _SOMEBODY.address, "hand-edit"])


def _soak(play: Play, environment: str, seconds: int) -> None:
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
    missing = set(GATES) - {one.gate for one in stage.seen}
    if missing:
        raise DemoError(f"no promotion was stopped by {', '.join(sorted(missing))}")
    console = stdout()
    console.print(f"\n[bold]Each of the {len(GATES)} gates stopped a promotion[/bold]")
    for one in stage.seen:
        console.print(f"   {one.gate:<13} {one.sentence} [{one.code}]", markup=False)
    console.print(
        "   Argo CD, schedulers, Jobs, admission, Git, registry and signatures were real; pods were simulated, so no "
        "image was pulled.",
        markup=False,
    )
    console.print(f"   Everything ended as it should, after {stage.seconds:.0f} s.", markup=False)
