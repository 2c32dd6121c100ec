"""Releases while others change main: what lands is what dev ran at one commit, never a mix, and it lands once."""

from __future__ import annotations

import multiprocessing
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.promotion.audit.verify import verify
from cartwright.promotion.intents import Promote, SetImage
from cartwright.promotion.land.remote import pick_remote
from cartwright.registry.reference import Reference
from tests.promotion.engine import Engine, git, right_before
from tests.promotion.histories import APP, Shop, digest, minutes

pytestmark = pytest.mark.slow

COMPONENT = "apps/components/labels/kustomization.yaml"
Racer = Callable[..., tuple[Engine, Callable[[], object], Path]]
PROMOTERS = 10
CHANGES = 6
"""How often the shared files change meanwhile."""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def name(number: int) -> str:
    return f"shop/app-{number:03}"


def shared(app: str) -> tuple[str, str, str]:
    """Three files of an app's closure that a change marks together."""
    return f"apps/{app}/deployment.yaml", f"apps/{app}/service.yaml", COMPONENT


def shop(folder: Path, *, apps: int = 2, soak: str = "0s") -> Shop:
    """Dev runs 1.1.0 and staging 1.0.0 of each app."""
    made = Shop(folder, upstreams={"dev": [], "staging": ["dev"]}, gates={"staging": {"soak": soak}}, apps=apps)
    made.release("1.1.0", at=minutes(10), apps=[name(number) for number in range(apps)])
    made.write()
    return made


def mark(root: Path, word: str, *apps: str, at: float = 50) -> None:
    """Commit a change of everything that apps share, which can be told from any other."""
    for file in {file for app in apps for file in shared(app)}:
        path = root / file
        path.write_text(path.read_text().partition("# mark")[0] + f"# mark {word}\n")
    stamp = f"{int(minutes(at).timestamp())} +0000"
    dates = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    who = ("-c", "user.name=Developer", "-c", "user.email=developer@example.com")
    git(root, *who, "commit", "--quiet", "--all", "--message", f"Mark {word}", **dates)


def require_one_commit(root: Path, promotion: str, app: str) -> set[str]:
    """Prove that a promotion brought what dev ran at the commit it was made on; returns the marks of its files."""
    folder = f"environments/staging/{app}/release"
    for file in shared(app):
        assert git(root, "rev-parse", f"{promotion}:{folder}/{file}") == git(root, "rev-parse", f"{promotion}^:{file}")
    tree = git(root, "rev-parse", f"{promotion}:{folder}").strip()
    assert f"App: {app}\nRelease: " in (message := git(root, "log", "-1", "--format=%B", promotion))
    assert f"\nTree: {tree}\n" in message
    texts = [git(root, "show", f"{promotion}:{folder}/{file}") for file in shared(app)]
    return {text.partition("# mark")[2].strip() for text in texts}


def findings(root: Path) -> list[tuple[str, ...]]:
    head = read_head(root)
    found = verify(open_snapshot(root, head), read_record(root, head.commit, now=minutes(10_000)))
    return [tuple(reason.code for reason in one.reasons) for one in found.findings]


@pytest.fixture(params=["work tree", "remote"])
def racer(tmp_path: Path, request: pytest.FixtureRequest) -> Racer:
    """Makes a promoter, a way for somebody else to change the branch, and says where the branch is."""

    def make(change: Callable[[Path], object], *, soak: str = "0s") -> tuple[Engine, Callable[[], object], Path]:
        made = shop(tmp_path, soak=soak)
        git(tmp_path, "clone", "--quiet", "--bare", str(made.root), "remote.git")
        git(tmp_path, "clone", "--quiet", "remote.git", "other")
        if request.param == "remote":
            git(tmp_path, "clone", "--quiet", "remote.git", "clone")
            root, branch = tmp_path / "clone", tmp_path / "remote.git"
            destination = pick_remote(root, name=None, branch=None)
        else:
            root, branch, destination = made.root, made.root, None

        def elsewhere() -> None:
            change(tmp_path / "other")
            git(tmp_path / "other", "push", "--quiet", "origin", "HEAD:main")
            if destination is None:  # as `git pull` in another terminal does
                git(root, "pull", "--quiet", "--ff-only", str(tmp_path / "remote.git"), "main")

        return Engine(root, minutes(60), destination=destination), elsewhere, branch

    return make


@pytest.fixture
def step(request: pytest.FixtureRequest) -> str:
    """The subcommand of Git that moves the branch of the racer."""
    return "push" if "remote" in request.node.callspec.params["racer"] else "update-ref"


def test_a_base_that_changes_before_the_branch_moves_is_promoted_wholly_as_it_is_then(
    racer: Racer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, change, branch = racer(lambda other: mark(other, "new", APP))
    right_before(monkeypatch, step, change)
    result = ours.promote("dev", "staging")
    assert (result.status, result.attempts) == ("promoted", 2)
    assert git(branch, "rev-parse", "main").strip() == result.commit
    assert require_one_commit(branch, "main", APP) == {"new"}
    assert git(branch, "log", "-2", "--format=%s", "main").splitlines()[1] == "Mark new"
    assert findings(branch) == []
    assert ours.git("status", "--porcelain") == ""


def test_a_base_that_changes_before_the_branch_moves_soaks_and_none_of_it_lands(
    racer: Racer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, change, branch = racer(lambda other: mark(other, "new", APP), soak="30m")
    before = git(branch, "rev-parse", f"main:environments/staging/{APP}")
    right_before(monkeypatch, step, change)
    result = ours.promote("dev", "staging")
    assert (result.status, result.attempts, ours.verdict(result, "soak").code) == ("blocked", 2, "soak-short")
    assert ours.verdict(result, "soak").until == minutes(80)
    assert git(branch, "log", "-1", "--format=%s", "main") == "Mark new\n"
    assert git(branch, "rev-parse", f"main:environments/staging/{APP}") == before
    assert ours.git("status", "--porcelain") == ""


SET = SetImage(
    app=APP, environment="dev", images=(Reference("ghcr.io/example/cartwright/app-000", "1.2.0", digest("1.2.0")),)
)


def test_a_build_that_dev_gets_before_the_branch_moves_is_what_is_promoted(
    racer: Racer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, change, branch = racer(lambda other: Engine(other, minutes(59), by="CI <ci@example.com>").run(SET))
    right_before(monkeypatch, step, change)
    result = ours.promote("dev", "staging")
    assert (result.status, result.attempts) == ("promoted", 2)
    assert result.plan.moves[0].release.tags == ("1.2.0",)
    assert require_one_commit(branch, "main", APP) == {""}
    assert f"Release: 1.2.0\nDigest: {digest('1.2.0')}\n" in git(branch, "log", "-1", "--format=%B", "main")
    assert findings(branch) == []


def test_a_promotion_that_lands_before_dev_gets_its_build_has_the_build_before(
    racer: Racer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, change, branch = racer(lambda other: Engine(other, minutes(59)).promote("dev", "staging"))
    right_before(monkeypatch, step, change)
    result = ours.run(SET)
    assert (result.status, result.attempts) == ("promoted", 2)
    assert require_one_commit(branch, "main^", APP) == {""}
    assert f"Release: 1.1.0\nDigest: {digest('1.1.0')}\n" in git(branch, "log", "-1", "--format=%B", "main^")
    assert findings(branch) == []


def test_what_somebody_is_writing_in_dev_is_not_taken(tmp_path: Path) -> None:
    ours = Engine(shop(tmp_path).root, minutes(60))
    overlay = ours.root / f"environments/dev/{APP}/kustomization.yaml"
    overlay.write_text(overlay.read_text()[:100])
    (ours.root / COMPONENT).unlink()
    ours.git("add", COMPONENT)
    before = ours.git("status", "--porcelain")
    assert ours.promote("dev", "staging").status == "promoted"
    assert require_one_commit(ours.root, "main", APP) == {""}
    assert ours.git("status", "--porcelain") == before


def _promote(job: tuple[Path, str]) -> tuple[str, str]:
    """Status and commit of one promotion to the remote."""
    root, app = job
    ours = Engine(root, minutes(60), destination=pick_remote(root, name="origin", branch="main"))
    result = ours.run(Promote(apps=(app,), source="dev", target="staging"))
    return result.status, result.commit or ""


def _develop(root: Path, apps: tuple[str, ...]) -> tuple[str, str]:
    """Change what all apps share, again and again, as people do who push to main."""
    for number in range(CHANGES):
        landed = False
        while not landed:
            git(root, "fetch", "--quiet", "origin")
            git(root, "reset", "--quiet", "--hard", "origin/main")
            mark(root, str(number), *apps)
            with suppress(subprocess.CalledProcessError):  # somebody else was first: once more
                git(root, "push", "--quiet", "origin", "HEAD:main")
                landed = True
    return "developed", ""


def _run(job: tuple[str, Path, tuple[str, ...]]) -> tuple[str, str]:
    kind, root, apps = job
    return _develop(root, apps) if kind == "develop" else _promote((root, apps[0]))


def test_ten_promotions_while_a_shared_component_changes_each_land_once_and_whole(tmp_path: Path) -> None:
    apps = tuple(name(number) for number in range(PROMOTERS))
    made = shop(tmp_path, apps=PROMOTERS)
    git(tmp_path, "clone", "--quiet", "--bare", str(made.root), "remote.git")
    for number in range(4):
        git(tmp_path, "clone", "--quiet", "remote.git", f"clone-{number}")
    jobs = [("promote", tmp_path / f"clone-{number % 3}", (app,)) for number, app in enumerate(apps)]
    jobs.insert(0, ("develop", tmp_path / "clone-3", apps))
    with multiprocessing.get_context("fork").Pool(len(jobs)) as pool:
        ended = pool.map(_run, jobs, chunksize=1)
    remote = tmp_path / "remote.git"
    assert [status for status, _ in ended] == ["developed", *["promoted"] * PROMOTERS]
    line = git(remote, "log", "--format=%H %s", "main").splitlines()
    subjects = [one.partition(" ")[2] for one in line]
    assert len(line) == 2 + CHANGES + PROMOTERS, "nothing is lost and nothing lands twice"
    assert [one for one in subjects if one.startswith("Mark")] == [f"Mark {n}" for n in reversed(range(CHANGES))]
    for app, (_, commit) in zip(apps, ended[1:], strict=True):
        assert f"{commit} Promote {app} 1.1.0 from dev to staging" in line
        assert len(require_one_commit(remote, commit, app)) == 1, "no mix of two states"
    assert git(remote, "rev-list", "--min-parents=2", "main") == ""
    assert findings(remote) == []
