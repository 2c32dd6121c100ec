"""Archives of tools: equal content makes equal bytes, and nothing leaves the folder that it is unpacked into."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.kernel.errors import ToolError
from cartwright.tools import _archive
from cartwright.tools._archive import pack, unpack

NAMES = st.lists(st.text("abc.-_é", min_size=1, max_size=4).filter(lambda one: one.strip(".")), min_size=1, max_size=3)
FILES = st.dictionaries(NAMES.map("/".join), st.tuples(st.binary(max_size=300), st.booleans()), min_size=1, max_size=6)


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(found, key, value)
    return found


def archive_of(file: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(file, "w:gz") as opened:
        for one in entries:
            opened.addfile(one, io.BytesIO(b"x" * one.size))
    return file


def write(folder: Path, files: dict[str, tuple[bytes, bool]]) -> bool:
    """Whether the names fit together: none is a file and a folder at once."""
    try:
        for name, (content, runs) in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o700 if runs else 0o600)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return False
    return True


def content(folder: Path) -> dict[str, tuple[bytes, bool]]:
    return {
        file.relative_to(folder).as_posix(): (file.read_bytes(), os.access(file, os.X_OK))
        for file in folder.rglob("*")
        if file.is_file()
    }


@settings(max_examples=40, deadline=None)
@given(files=FILES)
def test_what_was_packed_is_what_is_unpacked_and_when_it_was_written_makes_no_difference(
    files: dict[str, tuple[bytes, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as side:
        root = Path(side)
        if not write(root / "a", files):
            return
        pack(root / "a", root / "first")
        for file in (root / "a").rglob("*"):
            os.utime(file, (1, 1))
        pack((root / "a").rename(root / "b"), root / "second")
        assert (root / "first").read_bytes() == (root / "second").read_bytes()
        unpack(root / "first", root / "c")
        assert content(root / "c") == content(root / "b") == files


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(entry("../outside", size=1), id="a folder above"),
        pytest.param(entry("a/../../outside", size=1), id="a folder above by a detour"),
        pytest.param(entry("/tmp/outside", size=1), id="an absolute name"),
        pytest.param(entry("link", type=tarfile.SYMTYPE, linkname="/etc"), id="a symbolic link"),
        pytest.param(entry("link", type=tarfile.LNKTYPE, linkname="good"), id="a hard link"),
        pytest.param(entry("device", type=tarfile.CHRTYPE), id="a device"),
    ],
)
def test_anything_but_plain_files_below_the_folder_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    root = tmp_path / "root"
    root.mkdir()
    archive = archive_of(root / "archive", entry("good", size=1), bad)
    with pytest.raises(ToolError, match=r"^its archive holds '.*', which is not a plain file below its folder$"):
        unpack(archive, root / "home")
    assert {one.name for one in root.iterdir()} == {"archive", "home"}


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "archive", entry("tool", size=1), entry("tool", size=2))
    with pytest.raises(ToolError, match=r"^its archive can't be read: "):
        unpack(archive, tmp_path / "home")


def test_an_archive_that_fills_the_disk_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_archive, "_LARGEST", 2**20)
    archive = archive_of(tmp_path / "archive", entry("a", size=2**19), entry("b", size=2**19 + 1))
    with pytest.raises(ToolError, match=r"^its archive unpacks to more than 1 MiB$"):
        unpack(archive, tmp_path / "home")
    assert not (tmp_path / "home" / "b").exists()


@pytest.mark.parametrize(
    "content", [b"no archive", gzip.compress(b"no tar"), gzip.compress(b"x" * 2000)[:-9], b""], ids=len
)
def test_something_else_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(ToolError, match=r"^its archive can't be read: "):
        unpack(tmp_path / "archive", tmp_path / "home")
