"""The store without buildah: what is kept, what goes, and what a build that ended early leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cartwright.images import buildah as engine
from cartwright.images import store
from cartwright.images.base import Base
from cartwright.images.buildah import Buildah, Built, open_store
from cartwright.images.inputs import Source
from cartwright.images.recipes import Recipe
from cartwright.images.store import stored_images, stored_recipes, stored_services
from cartwright.kernel.errors import UserError
from cartwright.tools import packages
from tests.images.conftest import ROOT


class Engine:
    """In place of buildah: writes layouts with one layer, the same for all, and one of their own."""

    def __init__(self) -> None:
        self.builds: list[str] = []
        self.meanwhile: Callable[[Path], None] = lambda _output: None

    @contextmanager
    def exclusive(self, _say: Callable[[str], None]) -> Iterator[None]:
        yield

    def trim(self, *, keep: list[str]) -> None:
        assert keep == ["localhost/base:1"]

    def build(self, _root: Path, source: Source, *, output: Path, **_more: Any) -> Built:
        self.builds.append(source.service)
        blobs = output / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        (blobs / "common").write_text("a layer")
        (blobs / f"own-{source.key}").write_text(source.key)
        self.meanwhile(output)
        (output / "index.json").write_text("{}")
        digest = f"sha256:{source.key:0>64}"
        return Built(name=source.service, tag=source.tag, digest=digest, size=7, layout=output, revision="abc")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def fake(cache: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr(store, "open_store", lambda: found)
    monkeypatch.setattr(store, "choose_base", lambda *_args, **_more: base)
    monkeypatch.setattr(store, "build_service", found.build)
    return found


def change(root: Path, text: str) -> None:
    with (root / "services/orders/src/orders/app.py").open("a", encoding="utf-8") as file:
        file.write(f"# {text}\n")


def test_what_was_built_is_not_built_again_and_a_change_builds_one_service(repository: Path, fake: Engine) -> None:
    first = stored_services(repository)
    assert stored_services(repository) == first
    assert fake.builds == ["catalog", "gateway", "orders"]
    change(repository, "more")
    second = stored_services(repository)
    assert fake.builds == ["catalog", "gateway", "orders", "orders"]
    assert {name for name in first if first[name] != second[name]} == {"orders"}
    assert first["orders"].reference == f"orders:{first['orders'].tag}@{first['orders'].digest}"


def test_the_three_builds_of_a_service_that_were_used_last_stay_and_equal_layers_are_stored_once(
    repository: Path, fake: Engine, cache: Path
) -> None:
    file = repository / "services/orders/src/orders/app.py"
    states = [file.read_text() + "# more\n" * number for number in range(4)]
    built = {}
    for number in (0, 1, 2, 0, 3):
        file.write_text(states[number])
        built[number] = stored_services(repository, ["orders"])["orders"]
    assert len(fake.builds) == 4
    assert {image.digest for _, image in stored_images()} == {built[number].digest for number in (0, 2, 3)}
    common = [one.stat().st_ino for one in cache.glob("oci/orders/*/layout/blobs/sha256/common")]
    assert len(common) == 3
    assert len(set(common)) == 1


@pytest.mark.parametrize("ending", [KeyboardInterrupt, OSError])
def test_a_build_that_ends_early_leaves_no_image_and_no_folder(
    repository: Path, fake: Engine, cache: Path, ending: type[BaseException]
) -> None:
    def end(output: Path) -> None:
        assert list(output.iterdir())
        raise ending

    fake.meanwhile = end
    with pytest.raises(ending):
        stored_services(repository, ["orders"])
    assert list((cache / "oci/orders").iterdir()) == []
    fake.meanwhile = lambda _output: None
    assert stored_services(repository, ["orders"])["orders"].layout.is_dir()


def test_what_a_killed_build_left_is_cleared_away_and_a_broken_image_is_built_again(
    repository: Path, fake: Engine, cache: Path
) -> None:
    (cache / "oci/orders/.building-killed/layout").mkdir(parents=True)
    built = stored_services(repository, ["orders"])["orders"]
    assert [one.name for one in (cache / "oci/orders").iterdir()] == [built.layout.parent.name]
    (built.layout / "index.json").unlink()
    assert list(stored_images()) == []
    assert stored_services(repository, ["orders"])["orders"] == built
    assert fake.builds == ["orders", "orders"]


def test_sources_that_change_while_they_are_built_are_built_again(repository: Path, fake: Engine, cache: Path) -> None:
    def once(_output: Path) -> None:
        fake.meanwhile = lambda _output: None
        change(repository, "meanwhile")

    fake.meanwhile = once
    built = stored_services(repository, ["orders"])["orders"]
    assert fake.builds == ["orders", "orders"]
    assert stored_services(repository, ["orders"])["orders"] == built
    assert [image for _, image in stored_images()] == [built]


def test_sources_that_never_rest_are_not_kept_under_a_wrong_key(repository: Path, fake: Engine, cache: Path) -> None:
    fake.meanwhile = lambda _output: change(repository, "meanwhile")
    with pytest.raises(UserError, match=r"orders: files changed while they were built \(build again\)"):
        stored_services(repository, ["orders"])
    assert list((cache / "oci/orders").iterdir()) == []


def test_a_stand_in_is_made_once_and_said_so(fake: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def build(recipe: Recipe, *, output: Path, **_more: Any) -> Built:
        made.append(recipe.name)
        (output / "blobs" / "sha256").mkdir(parents=True)
        (output / "index.json").write_text("{}")
        return Built(name=recipe.name, tag="1", digest="sha256:0", size=7, layout=output, revision="")

    monkeypatch.setattr(store, "build_debian", build)
    said: list[str] = []
    first = stored_recipes(ROOT, say=said.append)
    assert stored_recipes(ROOT, say=said.append) == first
    assert made == list(first)
    assert said == [f"images: making {name} of Debian's packages …" for name in first]


def test_an_image_whose_note_is_not_ours_is_passed_over(repository: Path, fake: Engine, cache: Path) -> None:
    built = stored_services(repository, ["orders"])["orders"]
    note = built.layout.parent / "image.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "later": 1}))
    assert list(stored_images()) == []


def test_a_missing_program_is_named_with_its_package(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_find", lambda name: None if name == "buildah" else Path("/usr/bin") / name)
    with pytest.raises(
        engine.ToolError, match=r"^buildah is missing \(Debian: apt-get install buildah\); `cartwright d"
    ):
        open_store()
    assert not cache.exists()


def test_a_second_build_waits_for_the_first_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Buildah, "__call__", lambda *_args: "")
    first, second = (Buildah(tmp_path, "overlay") for _ in range(2))
    said: list[str] = []
    order: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    def other() -> None:
        with second.exclusive(say):
            order.append("second")

    thread = threading.Thread(target=other)
    with first.exclusive(said.append):
        thread.start()
        assert waiting.wait(20)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]
    assert said == ["images: waiting for another build to end …"]
