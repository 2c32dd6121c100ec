"""Built tools through a real registry: what is sent, what is taken, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cartwright.kernel.errors import Blocked, ToolError, UserError
from cartwright.registry.contents import MANIFEST, digest_of
from cartwright.registry.errors import RegistryError
from cartwright.tools import Tool, _pull, asset, load_catalogue, require
from cartwright.tools import sharing as share
from tests.promotion import fake_registry
from tests.promotion.fake_registry import Step
from tests.promotion.registry_server import serve_registry
from tests.tools import token_service
from tests.tools.conftest import Shelf, built_tools, cartwright, program

pytestmark = pytest.mark.registry

Make = Callable[..., list[Tool]]
Move = Callable[[], Path]


def push(shelf: Shelf, tools: list[Tool], **options: bool) -> str:
    return share.push(share.tools_reference(shelf.reference), share.binary_parts(tools), **options)


def pull(reference: str, tools: list[Tool]) -> None:
    share.pull(share.tools_reference(reference), share.binary_parts(tools))


def says(tool: Tool) -> str:
    return subprocess.run([str(tool.binary)], capture_output=True, text=True, check=True).stdout.strip()


def tag(tool: Tool) -> str:
    return share.binary_parts([tool])[0].tag


def files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and one.name != ".build.lock"]


# --- what is sent and taken -------------------------------------------------------------------------


def test_a_tool_is_pushed_under_its_sum_and_platform_and_runs_where_it_is_pulled(
    shelf: Shelf, make: Make, new_cache: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    tools = make("kustomize", "opa")
    push(shelf, tools)
    index, *_ = sorted(shelf.tags() - {tag(tool) for tool in tools})
    assert tag(tools[0]) == f"kustomize-v5.8.2-{tools[0].key}-linux-amd64"
    assert re.fullmatch(r"linux-amd64-[0-9a-f]{12}", index)
    cache = new_cache()
    pull(shelf.reference, tools)
    assert [says(tool) for tool in tools] == ["kustomize", "opa"]
    assert sorted(files(cache)) == sorted(tool.binary for tool in tools)


def test_a_second_push_sends_nothing_and_gives_the_same_reference(shelf: Shelf, make: Make) -> None:
    tools = make("kustomize", "opa")
    first = push(shelf, tools)
    before = {digest: shelf.blob(digest).stat().st_mtime_ns for digest in shelf.blobs()}
    assert push(shelf, tools) == first
    assert {digest: shelf.blob(digest).stat().st_mtime_ns for digest in shelf.blobs()} == before
    assert first == f"{shelf.reference}@{shelf.digest(next(one for one in shelf.tags() if one.startswith('linux-')))}"


def test_the_same_binaries_in_another_registry_get_the_same_digest(
    shelf: Shelf, make: Make, tmp_path: Path, new_cache: Move
) -> None:
    ours = push(shelf, make("kustomize"))
    new_cache()
    (tmp_path / "other").mkdir()
    for other in serve_registry(tmp_path / "other", plain=True):
        theirs = push(Shelf(other, tmp_path / "other" / "data"), make("kustomize"))
    assert ours.partition("@")[2] == theirs.partition("@")[2]


def test_one_changed_tool_is_one_blob_more_and_the_old_one_stays_beside_it(
    shelf: Shelf, make: Make, new_cache: Move
) -> None:
    kustomize, opa = make("kustomize", "opa")
    push(shelf, [kustomize, opa])
    before = shelf.blobs()
    changed = dataclasses.replace(opa, key="0" * 12)
    program(changed.binary, "echo changed")
    pinned = push(shelf, [kustomize, changed])
    assert shelf.blobs() - before == {shelf.layer(tag(changed)), shelf.digest(tag(changed)), pinned.partition("@")[2]}
    new_cache()
    pull(shelf.reference, [kustomize, opa, changed])
    assert [says(tool) for tool in (kustomize, opa, changed)] == ["kustomize", "opa", "changed"]


def test_tools_that_are_there_are_not_pulled_again(shelf: Shelf, make: Make, new_cache: Move) -> None:
    push(shelf, make("kustomize", "opa"))
    new_cache()
    (mine,) = make("kustomize", says="mine")
    pull(shelf.reference, [mine, load_catalogue()["opa"]])
    assert (says(mine), says(load_catalogue()["opa"])) == ("mine", "opa")


def test_a_tool_that_was_not_built_is_named_and_nothing_is_sent(shelf: Shelf, make: Make) -> None:
    tools = [*make("kustomize"), load_catalogue()["opa"], load_catalogue()["etcd"]]
    with pytest.raises(UserError) as caught:
        push(shelf, tools)
    assert str(caught.value) == ("not built: opa v1.21.1, etcd v3.7.3 (`cartwright tools build` makes what is missing)")
    assert shelf.blobs() == set()


def test_what_the_registry_lacks_is_named_and_the_rest_is_in_the_cache(
    shelf: Shelf, make: Make, new_cache: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (kustomize,) = make("kustomize")
    push(shelf, [kustomize])
    new_cache()
    with pytest.raises(Blocked) as caught:
        pull(shelf.reference, [kustomize, load_catalogue()["opa"]])
    assert str(caught.value) == f"{shelf.reference} lacks opa v1.21.1 (for linux/amd64, with this repository's sums)"
    assert says(kustomize) == "kustomize"
    assert not load_catalogue()["opa"].home.parent.exists()


def test_a_tool_of_another_platform_is_not_taken(
    shelf: Shelf, make: Make, new_cache: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    tools = make("kustomize")
    pinned = push(shelf, tools)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    cache = new_cache()
    for reference in (shelf.reference, pinned):
        with pytest.raises(
            Blocked, match=r"lacks kustomize v5\.8\.2 \(for linux/arm64, with this repository's sums\)$"
        ):
            pull(reference, tools)
    assert files(cache) == []


def test_an_index_under_a_tag_of_ones_own_keeps_what_other_platforms_brought(
    shelf: Shelf, make: Make, new_cache: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = share.tools_reference(f"{shelf.reference}:main")
    for machine in ("x86_64", "aarch64", "x86_64"):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        new_cache()
        tools = make("kustomize", says=machine)
        share.push(reference, share.binary_parts(tools))
    assert [one["platform"] for one in shelf.manifest("main")["manifests"]] == [  # type: ignore[attr-defined]
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64"},
    ]
    for machine in ("x86_64", "aarch64"):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        new_cache()
        pull(f"{shelf.reference}:main", tools)
        assert says(tools[0]) == machine


def test_a_digest_can_not_be_pushed_to(shelf: Shelf, make: Make) -> None:
    tools = make("kustomize")
    pinned = push(shelf, tools)
    with pytest.raises(UserError, match=rf"^{re.escape(pinned)}: can't push to a digest \("):
        share.push(share.tools_reference(pinned), share.binary_parts(tools))


# --- who may ----------------------------------------------------------------------------------------


def test_a_registry_with_tls_and_a_password_is_pushed_to_and_pulled_from(
    make: Make, new_cache: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registry").mkdir()
    for registry in serve_registry(tmp_path / "registry", plain=False):
        monkeypatch.setenv("SSL_CERT_FILE", str(registry.certificate))
        shelf = Shelf(registry, tmp_path / "registry" / "data")
        tools = make("kustomize")
        with pytest.raises(RegistryError) as caught:
            push(shelf, tools)
        assert (caught.value.code, caught.value.exit_code) == ("unauthorized", 2)
        monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config))
        push(shelf, tools)
        new_cache()
        pull(shelf.reference, tools)
    assert says(tools[0]) == "kustomize"


def test_a_token_service_is_asked_for_the_right_to_write_before_a_file_is_sent(
    make: Make, new_cache: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("registry", "tokens"):
        (tmp_path / name).mkdir()
    with token_service.serve(tmp_path / "tokens") as tokens:
        for registry in serve_registry(tmp_path / "registry", plain=True, extra=tokens.configuration()):
            monkeypatch.setenv("DOCKER_CONFIG", str(registry.docker_config))
            shelf = Shelf(registry, tmp_path / "registry" / "data")
            tools = make("kustomize")
            push(shelf, tools)
            assert set(tokens.asked) == {"pull", "pull,push"}
            tokens.asked.clear()
            new_cache()
            pull(shelf.reference, tools)
            assert set(tokens.asked) == {"pull"}
    assert says(tools[0]) == "kustomize"


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("falsify", "reason"),
    [
        pytest.param(lambda old: old[:-1] + bytes([old[-1] ^ 1]), r"hashes to sha256:[0-9a-f]{64}", id="one bit"),
        pytest.param(lambda old: old[:-7], r"has \d+ bytes instead of \d+", id="a part of it"),
        pytest.param(lambda old: old + b"more", r"is longer than its \d+ bytes", id="something behind it"),
    ],
)
def test_content_that_was_changed_in_the_registry_is_refused_and_nothing_of_it_kept(
    shelf: Shelf, make: Make, new_cache: Move, falsify: Callable[[bytes], bytes], reason: str
) -> None:
    tools = make("kustomize")
    pinned = push(shelf, tools)
    blob = shelf.blob(shelf.layer(tag(tools[0])))
    blob.write_bytes(falsify(blob.read_bytes()))
    cache = new_cache()
    for reference in (shelf.reference, pinned):
        with pytest.raises(ToolError) as caught:
            pull(reference, tools)
        assert re.fullmatch(
            rf"kustomize v5\.8\.2 is refused: {reference}: what the registry answered for sha256:\w+ {reason} "
            rf"\(find out who changed it; `cartwright tools push {shelf.reference} kustomize --replace` from a machine "
            r"that built it puts it right\)",
            str(caught.value),
        )
        assert caught.value.exit_code == 2
    assert files(cache) == []


@pytest.mark.parametrize("which", ["the tool's manifest", "the index"])
def test_a_manifest_that_was_changed_in_the_registry_is_refused(
    shelf: Shelf, make: Make, new_cache: Move, which: str
) -> None:
    tools = make("kustomize")
    pinned = push(shelf, tools)
    file = shelf.blob(shelf.digest(tag(tools[0])) if which == "the tool's manifest" else pinned.partition("@")[2])
    file.write_text(file.read_text().replace("{", "{ ", 1))
    cache = new_cache()
    with pytest.raises(ToolError, match=r"the registry answered sha256:\w+ with content that hashes to sha256:\w+"):
        pull(pinned, tools)
    assert files(cache) == []


def test_a_tag_that_leads_to_another_tool_is_refused(shelf: Shelf, make: Make, new_cache: Move) -> None:
    kustomize, opa = make("kustomize", "opa")
    push(shelf, [kustomize, opa])
    shelf.registry.tag("cartwright/tools", shelf.digest(tag(opa)), tag(kustomize))
    cache = new_cache()
    with pytest.raises(ToolError, match=rf"the artifact under tag {tag(kustomize)} says that it is {tag(opa)} \("):
        pull(shelf.reference, [kustomize])
    assert files(cache) == []


def test_an_image_in_place_of_tools_is_refused(shelf: Shelf, make: Make) -> None:
    shelf.registry.push("cartwright/tools", "main")
    with pytest.raises(ToolError, match=rf"^{shelf.reference}:main: is not an index of tools$"):
        pull(f"{shelf.reference}:main", [load_catalogue()["kustomize"]])


def test_a_digest_pins_what_was_pushed_and_a_repository_gives_what_replaced_it(
    shelf: Shelf, make: Make, new_cache: Move
) -> None:
    tools = make("kustomize", says="first")
    pinned = push(shelf, tools)
    make("kustomize", says="second")
    push(shelf, tools)
    new_cache()
    pull(shelf.reference, tools)
    assert says(tools[0]) == "first"
    make("kustomize", says="second")
    push(shelf, tools, replace=True)
    for reference, word in ((pinned, "first"), (shelf.reference, "second")):
        new_cache()
        pull(reference, tools)
        assert says(tools[0]) == word


@pytest.mark.parametrize("mended", [True, False], ids=["once", "every time"])
def test_a_download_that_breaks_off_is_begun_anew_and_leaves_nothing_where_it_never_ends(
    shelf: Shelf, make: Make, new_cache: Move, monkeypatch: pytest.MonkeyPatch, mended: bool
) -> None:
    tools = make("kustomize")
    push(shelf, tools)
    blob = shelf.layer(tag(tools[0]))
    content, manifest = shelf.blob(blob).read_bytes(), shelf.blob(shelf.digest(tag(tools[0]))).read_bytes()
    monkeypatch.setattr(_pull, "_LIMITS", _pull.Limits(connect=2, answer=2, patience=3, attempts=2))
    cache = new_cache()
    with fake_registry.serve() as fake:
        steps = {
            f"manifests/{tag(tools[0])}": [Step(content=manifest, headers={"Content-Type": MANIFEST})],
            f"blobs/{blob}": [Step(content=content, cut=True), *([Step(content=content)] if mended else [])],
        }
        fake.steps |= {f"/v2/cartwright/tools/{path}": answers for path, answers in steps.items()}
        if mended:
            pull(f"{fake.host}/cartwright/tools", tools)
            assert says(tools[0]) == "kustomize"
        else:
            with pytest.raises(RegistryError, match=rf"^{fake.host}: broke off: ") as caught:
                pull(f"{fake.host}/cartwright/tools", tools)
            assert caught.value.code == "unreachable"
            assert files(cache) == []
            assert list(tools[0].home.parent.iterdir()) == []


# --- before anything is built -----------------------------------------------------------------------


def test_tools_are_taken_before_any_is_built_and_only_what_is_missing_is_built(
    shelf: Shelf,
    make: Make,
    new_cache: Move,
    monkeypatch: pytest.MonkeyPatch,
    built: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    push(shelf, make("kustomize"))
    new_cache()
    monkeypatch.setenv("CARTWRIGHT_TOOLS", shelf.reference)
    capsys.readouterr()
    found = require(["kustomize", "opa"])
    assert says(load_catalogue()["kustomize"]) == "kustomize"
    assert built_tools(built) == ["github.com/open-policy-agent/opa"]
    assert list(found) == ["kustomize", "opa"]
    lines = capsys.readouterr().err.splitlines()
    assert (
        f"tools: {shelf.reference} lacks opa v1.21.1 (for linux/amd64, with this repository's sums): made here" in lines
    )


def test_a_registry_that_can_not_be_reached_costs_one_line_and_is_not_asked_twice(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, built: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.promotion.registry_server import free_port

    monkeypatch.setattr(_pull, "_BRIEF", _pull.Limits(connect=1, answer=1, patience=0.1, attempts=1))
    host = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("CARTWRIGHT_TOOLS", f"{host}/cartwright/tools")
    require(["kustomize"])
    require(["opa"])
    assert len(built_tools(built)) == 2
    lines = [one for one in capsys.readouterr().err.splitlines() if host in one]
    assert len(lines) == 1
    assert lines[0].startswith(f"tools: nothing taken from CARTWRIGHT_TOOLS: {host}: can't be reached: ")


def test_assets_are_taken_without_go_and_without_the_tool(
    shelf: Shelf, new_cache: Move, monkeypatch: pytest.MonkeyPatch, built: list[str]
) -> None:
    argocd = load_catalogue()["argocd"]
    (argocd.asset_home / "manifests").mkdir(parents=True)
    (argocd.asset_home / "manifests" / "install.yaml").write_text("kind: List\n")
    share.push(share.tools_reference(shelf.reference), share.asset_parts([argocd]))
    assert f"argocd-{argocd.asset_home.name}" in shelf.tags()
    new_cache()
    monkeypatch.setenv("CARTWRIGHT_TOOLS", shelf.reference)
    assert (asset("argocd", "manifests") / "install.yaml").read_text() == "kind: List\n"
    assert built_tools(built) == []


# --- the command ------------------------------------------------------------------------------------


def test_the_command_pushes_a_real_tool_and_a_machine_that_never_built_it_runs_it(
    shelf: Shelf, own_environment: Path, monkeypatch: pytest.MonkeyPatch, new_cache: Move, built: list[str]
) -> None:
    pushed = cartwright("tools", "push", shelf.reference, "kustomize", env={"CARTWRIGHT_CACHE": str(own_environment)})
    assert (pushed.code, pushed.stdout.startswith(f"{shelf.reference}@sha256:")) == (0, True), pushed.stderr
    new_cache()
    monkeypatch.setenv("CARTWRIGHT_TOOLS", pushed.stdout.strip())
    ended = cartwright("tools", "build", "kustomize")
    kustomize = load_catalogue()["kustomize"]
    assert (ended.code, ended.stdout) == (0, f"kustomize v5.8.2 {kustomize.binary}\n")
    assert subprocess.run([kustomize.binary, "version"], capture_output=True, check=True).stdout == b"v5.8.2\n"
    assert built_tools(built) == []


def test_the_command_stops_at_changed_content_in_one_line_and_builds_nothing(
    shelf: Shelf, make: Make, new_cache: Move, built: list[str]
) -> None:
    tools = make("kustomize")
    push(shelf, tools)
    blob = shelf.blob(shelf.layer(tag(tools[0])))
    blob.write_bytes(b"x" + blob.read_bytes()[1:])
    cache = new_cache()
    ended = cartwright("tools", "build", "kustomize", env={"CARTWRIGHT_TOOLS": shelf.reference})
    assert (ended.code, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert ended.stderr.startswith(f"error: kustomize v5.8.2 is refused: {shelf.reference}: what the registry answered")
    assert (files(cache), built_tools(built)) == ([], [])


@pytest.mark.parametrize(
    ("words", "env", "line"),
    [
        pytest.param(
            ["build", "opa"],
            {"CARTWRIGHT_TOOLS": "ghcr.io/Upper"},
            "error: CARTWRIGHT_TOOLS: image 'ghcr.io/Upper': 'Upper' is not a repository "
            "(host/path:tag, the path in lower case)\n",
            id="no reference",
        ),
        pytest.param(
            ["push", "127.0.0.1:1/x", "checkov"],
            {},
            "error: checkov is installed from tools/checkov/requirements.lock and not shared\n",
            id="a Python tool",
        ),
        pytest.param(
            ["pull", "127.0.0.1:1/x", "kustomise"],
            {},
            "error: no tool 'kustomise' (did you mean 'kustomize'?)\n",
            id="no tool",
        ),
        pytest.param(
            ["push", "127.0.0.1:1/x", "opa"],
            {},
            "error: not built: opa v1.21.1 (`cartwright tools build` makes what is missing)\n",
            id="not built",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], env: dict[str, str], line: str) -> None:
    ended = cartwright("tools", *words, env=env)
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", line)


def test_two_processes_that_need_a_tool_at_once_download_it_once(shelf: Shelf, make: Make, new_cache: Move) -> None:
    from concurrent.futures import ThreadPoolExecutor

    tools = make("kustomize")
    push(shelf, tools)
    new_cache()
    with ThreadPoolExecutor(2) as pool:
        ended = list(
            pool.map(
                lambda _: cartwright("tools", "build", "kustomize", env={"CARTWRIGHT_TOOLS": shelf.reference}), range(2)
            )
        )
    assert [one.code for one in ended] == [0, 0]
    assert sum("kustomize v5.8.2 taken" in one.stderr for one in ended) == 1
    assert says(tools[0]) == "kustomize"


def test_what_docs_say_of_a_part_is_what_is_stored(shelf: Shelf, make: Make) -> None:
    tools = make("kustomize")
    push(shelf, tools)
    manifest = shelf.manifest(tag(tools[0]))
    content = shelf.blob(shelf.digest(tag(tools[0]))).read_bytes()
    assert digest_of(content) == shelf.digest(tag(tools[0]))
    assert manifest["artifactType"] == "application/vnd.cartwright.tool.v1"
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": digest_of(b"{}"),
        "size": 2,
    }
    assert json.loads(content)["layers"][0]["mediaType"] == "application/vnd.cartwright.tool.v1.tar+gzip"
