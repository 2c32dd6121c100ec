"""The record says what ran where and since when, whatever shape the history has."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.history import store
from cartwright.history.pinned import Pinned
from cartwright.history.pins import read_pins
from cartwright.history.record import Record, read_record
from cartwright.history.release import read_release
from tests.promotion.histories import APP, BEGIN, Shop, digest, minutes, overlay, overlay_path


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def read(root: Path, ref: str = "HEAD", *, now: datetime | None = None) -> Record:
    return read_record(root, git(root, "rev-parse", ref), now=now or minutes(100_000))


def tags(record: Record, environment: str, app: str = APP) -> list[tuple[str, datetime]]:
    return [(",".join(map(str, one.pins)), one.since) for one in record.timeline(environment, app)]


def test_a_timeline_has_every_release_with_the_time_it_landed_newest_first(shop: Shop) -> None:
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(30))
    marks = shop.write()
    record = read(shop.root)
    assert tags(record, "dev") == [("1.1.0", minutes(10)), ("1.0.0", BEGIN)]
    assert tags(record, "staging") == [("1.1.0", minutes(30)), ("1.0.0", BEGIN)]
    running = record.running("staging", APP)
    assert running is not None
    assert (running.commit, running.until) == (marks[3], None)
    assert running.pins == (Pinned("ghcr.io/example/cartwright/app-000", "1.1.0", digest("1.1.0")),)
    assert record.timeline("dev", APP)[1].until == minutes(10)
    assert record.cut is None


def test_an_edit_that_leaves_the_pins_alone_is_no_change(shop: Shop) -> None:
    shop.commit({overlay_path("dev"): f"# a note\n{overlay('1.0.0')}"}, at=minutes(5))
    shop.write()
    assert tags(read(shop.root), "dev") == [("1.0.0", BEGIN)]


def test_a_revert_runs_from_its_own_time(shop: Shop) -> None:
    shop.release("1.1.0", at=minutes(10))
    shop.edit("dev", "1.0.0", at=minutes(20), message='Revert "1.1.0"\n')
    shop.write()
    assert tags(read(shop.root), "dev") == [("1.0.0", minutes(20)), ("1.1.0", minutes(10)), ("1.0.0", BEGIN)]


def test_a_merge_lands_at_its_own_time_and_is_explained_by_the_commit_it_brought(shop: Shop) -> None:
    side = shop.history.commit(
        {overlay_path("staging"): overlay("1.1.0", environment="staging")},
        message=shop.message("1.1.0", "staging", apps=[APP], source="dev"),
        at=int(minutes(5).timestamp()),
        author="Release Bot <bot@example.com>",
        branch="request",
        start=1,
    )
    shop.commit({"README.md": "other work\n"}, at=minutes(10))
    merge = shop.edit("staging", "1.1.0", at=minutes(60), message="Merge request 7\n", merge=[side])
    marks = shop.write()
    record = read(shop.root)
    assert tags(record, "staging") == [("1.1.0", minutes(60)), ("1.0.0", BEGIN)]
    event = record.events(environment="staging")[0]
    assert (event.commit, event.note.commit) == (marks[merge], marks[side])
    assert event.note.message is not None
    assert (event.note.author, event.note.message.source) == ("Release Bot <bot@example.com>", "dev")


def test_a_file_that_is_renamed_in_its_folder_is_the_same_overlay(shop: Shop) -> None:
    old, new = overlay_path("dev"), overlay_path("dev").replace(".yaml", ".yml")
    shop.commit({old: None, new: overlay("1.0.0")}, at=minutes(5))
    shop.commit({new: overlay("1.1.0")}, at=minutes(9))
    shop.write()
    assert tags(read(shop.root), "dev") == [("1.1.0", minutes(9)), ("1.0.0", BEGIN)]


def test_a_component_beside_an_overlay_is_no_app_unless_it_pins_images(shop: Shop) -> None:
    inner = f"{APP}/parameters"
    path = f"environments/staging/{inner}/kustomization.yaml"
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    shop.commit({path: f"{component}patches: []\n"}, at=minutes(5))
    shop.commit({overlay_path("dev", inner): f"{component}images: [{{name: app-000, newTag: '9'}}]\n"}, at=minutes(6))
    shop.write()
    found = [(one.environment, [str(pin) for pin in one.after or ()]) for one in read(shop.root).events(app=inner)]
    assert found == [("dev", ["9"])]


def test_an_app_that_moves_to_another_group_ends_here_and_begins_there(shop: Shop) -> None:
    shop.commit({overlay_path("dev"): None, overlay_path("dev", "web/app-000"): overlay("1.0.0")}, at=minutes(5))
    shop.write()
    record = read(shop.root)
    assert record.running("dev", APP) is None
    assert record.timeline("dev", APP)[0].until == minutes(5)
    assert tags(record, "dev", "web/app-000") == [("1.0.0", minutes(5))]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("images: [", "environments/dev/shop/app-000/kustomization.yaml:1: YAML: "),
        ("images: 7\n", "environments/dev/shop/app-000/kustomization.yaml:1: images is not a list"),
        (b"images: [\xff]\n", "environments/dev/shop/app-000/kustomization.yaml: is not UTF-8"),
    ],
    ids=["broken", "no list", "latin-1"],
)
def test_content_that_does_not_parse_runs_nothing_that_is_known(shop: Shop, content: str | bytes, problem: str) -> None:
    shop.commit({overlay_path("dev"): content}, at=minutes(5))
    shop.edit("dev", "1.1.0", at=minutes(9))
    shop.write()
    newest, broken, _ = read(shop.root).timeline("dev", APP)
    assert str(newest.pins[0]) == "1.1.0"
    assert (broken.pins, broken.since, broken.until) == ((), minutes(5), minutes(9))
    assert broken.problem is not None
    assert broken.problem.startswith(problem)


def test_a_symbolic_link_is_no_overlay(shop: Shop) -> None:
    shop.commit({f"{overlay_path('dev')}@": "../other.yaml"}, at=minutes(5))
    shop.write(checkout=False)
    running = read(shop.root).running("dev", APP)
    assert running is not None
    assert running.problem == f"{overlay_path('dev')}: is a symbolic link"


def test_a_shallow_clone_says_where_its_history_is_cut(shop: Shop, tmp_path: Path) -> None:
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(30))
    marks = shop.write()
    git(tmp_path, "clone", "--quiet", "--depth", "2", shop.root.as_uri(), "shallow")
    record = read(tmp_path / "shallow")
    assert record.cut == marks[2]
    assert tags(record, "dev") == [("1.1.0", minutes(10))]
    assert tags(record, "prod") == [("1.0.0", minutes(10))], "nothing is known to have run before the cut"
    git(tmp_path / "shallow", "fetch", "--quiet", "--unshallow")
    deepened = read(tmp_path / "shallow")
    assert (deepened.cut, tags(deepened, "prod")) == (None, [("1.0.0", BEGIN)])


def test_a_slow_clock_shortens_no_soak(shop: Shop) -> None:
    shop.release("1.1.0", at=minutes(60))
    shop.promote("1.1.0", "dev", "staging", at=minutes(60) - timedelta(days=1))
    shop.write()
    assert tags(read(shop.root), "staging")[0] == ("1.1.0", minutes(60))


def test_a_clock_that_is_a_day_ahead_holds_up_only_its_own_commit(shop: Shop) -> None:
    shop.release("1.1.0", at=minutes(60) + timedelta(days=1))
    shop.promote("1.1.0", "dev", "staging", at=minutes(70))
    shop.write()
    record = read(shop.root, now=minutes(80))
    assert tags(record, "dev")[0] == ("1.1.0", minutes(60) + timedelta(days=1))
    assert tags(record, "staging")[0] == ("1.1.0", minutes(70))


def test_an_approval_that_changes_no_file_is_on_record(shop: Shop) -> None:
    text = "Approve app-000 1.1.0 for prod\n\nApproves: prod\nApp: shop/app-000\nRelease: 1.1.0\nDigest: sha256:0\n"
    mark = shop.commit({}, at=minutes(5), message=text)
    shop.commit({"README.md": "x"}, at=minutes(6), message="Nothing to say\n")
    marks = shop.write()
    notes = read(shop.root).notes()
    assert [note.commit for note in notes] == [marks[1], marks[mark]]
    assert notes[1].message is not None
    assert notes[1].message.operation == "approve"


def test_files_of_an_environment_are_known_as_they_were(shop: Shop) -> None:
    path = "environments/prod/environment.yaml"
    shop.commit({path: shop.environment("prod", soak="1h")}, at=minutes(5))
    marks = shop.write()
    record = read(shop.root)
    place = record.index(marks[2])
    assert '"soak": "0s"' in (record.file(path, before=place) or "")
    assert '"soak": "1h"' in (record.file(path) or "")
    assert record.file(path, before=0) is None


def test_a_second_reading_asks_git_for_the_new_commits_alone_and_says_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_KEEP", 2)
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    read(shop.root)
    shop.promote("1.1.0", "dev", "staging", at=minutes(30))
    shop.write()
    counts: list[int] = []
    original = store.read_commits

    def counting(*words: object, **options: object) -> list[object]:
        found = original(*words, **options)  # type: ignore[arg-type]
        counts.append(len(found))
        return found  # type: ignore[return-value]

    monkeypatch.setattr(store, "read_commits", counting)
    warm = read(shop.root)
    assert counts == [1]
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(shop.root / ".git" / "none"))
    cold = read(shop.root)
    assert counts == [1, 3]
    assert warm.events() == cold.events()
    assert warm.running_all() == cold.running_all()
    assert warm.notes() == cold.notes()


def test_a_rewritten_branch_is_read_as_it_is_now(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_KEEP", 1)
    shop.release("1.1.0", at=minutes(10))
    shop.write()
    assert tags(read(shop.root), "dev")[0][0] == "1.1.0"
    git(shop.root, "reset", "--quiet", "--hard", "HEAD~1")
    (shop.root / overlay_path("dev")).write_text(overlay("1.2.0"))
    git(shop.root, "commit", "--quiet", "--all", "--message", "1.2.0")
    record = read(shop.root)
    assert [tag for tag, _ in tags(record, "dev")] == ["1.2.0", "1.0.0"]
    git(shop.root, "reset", "--quiet", "--hard", "HEAD~1")
    assert [tag for tag, _ in tags(read(shop.root), "dev")] == ["1.0.0"], "an older commit is read as of then"


def test_another_repository_in_the_same_place_is_another_history(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_KEEP", 1)
    shop.write()
    read(shop.root)
    git(shop.root, "checkout", "--quiet", "--orphan", "other")
    (shop.root / overlay_path("dev")).write_text(overlay("7.0.0"))
    git(shop.root, "commit", "--quiet", "--all", "--message", "Another beginning")
    assert [tag for tag, _ in tags(read(shop.root), "dev")] == ["7.0.0"]


def test_a_cache_folder_may_have_any_name(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_KEEP", 1)
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "100%?mode=rw#x y"))
    shop.write()
    before = read(shop.root).running_all()
    (file,) = (tmp_path / "100%?mode=rw#x y" / "record").rglob("*.sqlite")
    written = file.stat().st_ino
    assert read(shop.root).running_all() == before
    assert file.stat().st_ino == written


def test_a_broken_cache_is_read_anew(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_KEEP", 1)
    shop.write()
    before = read(shop.root).running_all()
    (file,) = (tmp_path / "cache" / "record").rglob("*.sqlite")
    file.write_bytes(b"no database" * 1000)
    assert read(shop.root).running_all() == before


def test_the_number_of_git_processes_does_not_grow_with_apps_or_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartwright.kernel import run

    started: list[str] = []
    popen = subprocess.Popen

    def counting(words: list[str], **options: object) -> object:
        started.append(" ".join(words[:2]))
        return popen(words, **options)  # type: ignore[call-overload]

    counts = []
    for apps in (2, 40):
        shop = Shop(tmp_path / str(apps), apps=apps)
        for number in range(apps):
            shop.release("1.1.0", at=minutes(number), apps=[f"shop/app-{number:03}"])
        shop.write(checkout=False)
        head = git(shop.root, "rev-parse", "HEAD")
        started.clear()
        with monkeypatch.context() as patch:
            patch.setattr(run.subprocess, "Popen", counting)
            record = read_record(shop.root, head)
            assert len(record.running_all()) == 3 * (apps + 1)  # a cluster each
            assert len(record.events()) == 4 * apps + 3
        counts.append(len(started))
    assert counts == [2, 2]


_SCALARS = st.sampled_from(["1.10", '"1.10"', "'on'", "0777", "2026-01-02", "null", '""', "v1 # note", "&a v1"])
_ENTRY = st.tuples(st.sampled_from(["a", "b"]), _SCALARS, st.sampled_from(["sha256:" + "a" * 64, '"sha256:x"', ""]))


@settings(max_examples=60, deadline=None)
@given(st.lists(_ENTRY, max_size=3), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_the_fast_reader_says_what_the_exact_one_says(
    entries: list[tuple[str, str, str]], newline: str, flow: bool
) -> None:
    lines = ["# comment", "kind: Kustomization"]
    if flow:
        inner = ", ".join(f"{{name: {name}, digest: {value or '~'}}}" for name, _, value in entries)
        lines.append(f"images: [{inner}]")
    else:
        lines.append("images:" if entries else "images: []")
        for name, tag, value in entries:
            lines += [f"  - name: {name}", f"    newTag: {tag}", *([f"    digest: {value}"] if value else [])]
    text = newline.join(lines)
    try:
        expected: object = sorted((pin.image, pin.tag, pin.digest) for pin in read_release(text, "file").pins)
    except Exception as error:
        expected = str(error)
    try:
        found: object = [(pin.image, pin.tag, pin.digest) for pin in read_pins(text, "file")]
    except Exception as error:
        found = str(error)
    assert found == expected


def test_times_are_in_utc(shop: Shop) -> None:
    shop.write()
    running = read(shop.root).running("dev", APP)
    assert running is not None
    assert running.since.tzinfo is UTC


def chain(dates: Sequence[int], *, now: int) -> Record:
    """The record of commits with these dates, in seconds, oldest first."""
    store = sqlite3.connect(":memory:")
    store.execute("CREATE TABLE all_commits (seq INTEGER, id TEXT, time INTEGER, high INTEGER)")
    rows = [(seq, str(seq), *pair) for seq, pair in enumerate(zip(dates, accumulate(dates, max), strict=True))]
    store.executemany("INSERT INTO all_commits VALUES (?, ?, ?, ?)", rows)
    moment = datetime.fromtimestamp(now, UTC)
    return Record(store, head="", cut=None, now=moment, environments=None, apps=None)


HOUR = 3600
DATES = st.lists(st.integers(0, 40 * HOUR), min_size=2, max_size=12)


@settings(max_examples=300, deadline=None)
@given(dates=DATES, later=DATES, place=st.integers(0, 11), upstream=st.integers(0, 11), now=st.integers(0, 80 * HOUR))
def test_clocks_ahead_or_behind_lengthen_no_soak(
    dates: list[int], later: list[int], place: int, upstream: int, now: int
) -> None:
    place, upstream = sorted((place % len(dates), upstream % len(dates)))[::-1]
    first, more = chain(dates, now=now), chain([*dates, *later], now=now)
    moment = first.moment(place)
    assert moment.timestamp() <= min(dates[place], now), "never later than it says, nor in the future"
    assert more.moment(place) <= moment, "commits that follow make it no later"
    since = first.landed(upstream, as_of=moment).timestamp()
    possible = [date for date in dates[: upstream + 1] if date <= moment.timestamp()]
    # From the latest date on the way there that was not in the future; nothing at all if its own date was.
    expected = dates[upstream] if dates[upstream] > moment.timestamp() else max(possible)
    assert since == expected


def test_a_date_that_commits_after_it_contradict_is_not_believed() -> None:
    honest = [0, HOUR, 2 * HOUR]
    now = 99 * HOUR
    assert chain([*honest, 9 * HOUR, 3 * HOUR], now=now).moment(3).timestamp() == 3 * HOUR
    assert chain([*honest, 3 * HOUR, 2 * HOUR], now=now).moment(3).timestamp() == 3 * HOUR, "an hour may be a clock's"
    assert chain([*honest, 9 * HOUR, 0], now=now).moment(3).timestamp() == 9 * HOUR, "that one's own clock is behind"
    assert chain([*honest, 9 * HOUR], now=4 * HOUR).moment(3).timestamp() == 4 * HOUR
