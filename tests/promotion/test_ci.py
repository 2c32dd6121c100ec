"""The workflows and the script for any CI: what they call exists and is pinned, their rights are few, and they work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.promotion.conftest import APP, NEW, OLD, Repository, kustomization
from tests.promotion.fake_forge import PROJECT, TOKEN, serve

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCRIPT = ROOT / "scripts/ci/release.sh"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
SHELL = sorted([SCRIPT, ROOT / ".ci/run", *(ROOT / "tools").glob("*.sh")])
_WRITES = {
    ("release.yaml", "build"): {"packages"},
    ("release.yaml", "dev"): {"contents"},
    ("promote.yaml", "staging"): {"contents"},
    ("promote.yaml", "prod"): {"contents"},
    ("tools.yaml", "push"): {"packages"},
}
"""Every right to write that a job has, and there is no other."""


def jobs() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            yield file.name, name, job


def steps() -> Iterator[Mapping[str, Any]]:
    for _, _, job in jobs():
        yield from job["steps"]


# --- what they say ----------------------------------------------------------------------------------


def test_actionlint_finds_nothing_in_the_workflows_and_their_shell() -> None:
    from cartwright.tools import require

    actionlint = require(["actionlint"])["actionlint"]
    done = subprocess.run(
        [actionlint, "-no-color", "-shellcheck", BIN / "shellcheck", *WORKFLOWS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", SHELL, ids=lambda file: file.name)
def test_shellcheck_finds_nothing_in_the_scripts(file: Path) -> None:
    done = subprocess.run([BIN / "shellcheck", "--severity=warning", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_action_is_pinned_by_a_commit_and_its_version_stands_beside_it() -> None:
    lines = [line for file in WORKFLOWS for line in file.read_text().splitlines() if "uses:" in line]
    assert len(lines) > 5
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+(\.\d+)*$", line), line
    pins = {}
    for line in lines:
        action, commit = line.split("uses: ")[1].split("  #")[0].split("@")
        assert pins.setdefault(action, commit) == commit, f"{action} has two pins"


def test_jobs_may_write_what_they_must_and_nothing_else() -> None:
    found = {}
    for file, name, job in jobs():
        top = yaml.safe_load((ROOT / ".github/workflows" / file).read_text())["permissions"]
        assert set(top.values()) <= {"read"}, file
        rights = job.get("permissions", top)
        written = {right for right, level in rights.items() if level == "write"}
        if written:
            found[file, name] = written
    assert found == _WRITES


def test_only_jobs_that_push_keep_the_token_in_the_clone() -> None:
    for file, name, job in jobs():
        pushes = "contents" in _WRITES.get((file, name), ())
        [checkout] = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"].get("persist-credentials", True) is pushes, (file, name)


def test_every_job_has_a_time_limit_and_prod_has_reviewers() -> None:
    for file, name, job in jobs():
        assert job["timeout-minutes"] <= 90, (file, name)
    promote = yaml.safe_load((ROOT / ".github/workflows/promote.yaml").read_text())["jobs"]
    assert promote["prod"]["environment"] == "prod"
    assert "environment" not in promote["staging"]


def calls() -> list[tuple[str, ...]]:
    """Every call of the command in workflows, script and docs, with words in place of variables."""
    texts = [SCRIPT.read_text(), *(step["run"] for step in steps() if "run" in step)]
    texts += [line for line in (ROOT / "docs/promotion-ci.md").read_text().splitlines() if line.startswith("    ")]
    found = []
    for text in texts:
        joined = re.sub(r"#.*", "", text.replace("\\\n", " "))
        for match in re.finditer(r"(?:\"\$cartwright\"|\.venv/bin/cartwright)((?: +[^\s;|)&]+)+)", joined):
            words = match[1].partition(" > ")[0].replace('"$@"', "--all").replace('"${apps[@]}"', "catalog")
            words = words.replace('"${deliver[@]}"', "--push")
            found.append(tuple(shlex.split(re.sub(r'"?\$\{?\w+[^"\s]*"?', "word", words))))
    return sorted(set(found))


def parse_call(words: tuple[str, ...]) -> None:
    """Read a call as the command would, without doing anything.

    Raises:
        click.UsageError: there is no such word or option.
    """
    from typer.main import get_command

    from cartwright.cli import build

    context: Any = get_command(build(words[0])).make_context("cartwright", list(words))
    while hasattr(context.command, "resolve_command"):
        _, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(command.name, rest, parent=context)


def test_every_call_of_the_command_is_one_that_it_knows() -> None:
    found = calls()
    assert {words[:2] for words in found} >= {("promote", "set"), ("images", "build"), ("tools", "build")}
    assert len(found) >= 7
    for words in found:
        parse_call(words)


@pytest.mark.parametrize("words", [("promote", "set", "a", "--evn", "dev"), ("images", "bulid"), ("tools", "--x")])
def test_a_call_that_the_command_does_not_know_would_be_found(words: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match=r"No such (option|command)"):
        parse_call(words)


# --- what the script does ---------------------------------------------------------------------------


@pytest.fixture
def shop(repository: Repository, tmp_path: Path) -> Repository:
    """The repository with an origin; prod wants one approval by the platform team."""
    for environment, upstream in (("staging", "dev"), ("prod", "staging")):
        file = repository.root / f"environments/{environment}/environment.yaml"
        assert f"upstreams:\n- {upstream}\n" in file.read_text() or f"[{upstream}]" in file.read_text()
    file = repository.root / "environments/prod/environment.yaml"
    file.write_text(file.read_text().replace("approvals: 0", "approvals: {count: 1, from: OWNERS}", 1))
    (repository.root / "OWNERS").write_text("* platform-team@example.com\n")
    for environment in ("dev", "staging", "prod"):  # one app moves, the other is the same everywhere
        repository.overlay(environment, "shop/app-001").write_text(
            repository.overlay("prod", "shop/app-001").read_text()
        )
    repository.commit("Ask for an approval")
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", repository.root, remote], check=True)
    repository.git("remote", "add", "origin", str(remote))
    return repository


def release(shop: Repository, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *words],
        cwd=shop.root,
        env={**os.environ, **shop.env, "CARTWRIGHT": str(BIN / "cartwright"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def on_remote(shop: Repository, environment: str) -> str:
    shop.git("fetch", "--quiet", "origin", "main")
    return shop.git("show", f"FETCH_HEAD:environments/{environment}/{APP}/kustomization.yaml")


def test_promote_on_green_then_prod_waits_for_an_approval_of_exactly_that(shop: Repository, tmp_path: Path) -> None:
    done = release(shop, "promote", "dev", "staging")
    assert (done.returncode, done.stderr) == (0, "")
    assert on_remote(shop, "staging") == kustomization(tag="1.1.0", digest=NEW)

    done = release(shop, "promote", "staging", "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert "blocked, nothing was written" in done.stdout
    assert on_remote(shop, "prod") == kustomization(tag="1.0.0", digest=OLD)

    shop.git("pull", "--quiet", "--ff-only", "origin", "main")
    done = release(shop, "ready", "staging", "prod")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{APP} 1.1.0 {NEW}\n", "")
    waits = tmp_path / "approved.txt"

    waits.write_text(f"{APP} 1.0.9 {OLD}\n")
    done = release(shop, "approved", "staging", "prod", str(waits), GIT_AUTHOR_EMAIL="platform-team@example.com")
    assert done.returncode == 1
    assert f"'{APP} 1.0.9 {OLD}' is not what waits for prod any more: nothing was promoted" in done.stderr

    waits.write_text(f"{APP} 1.1.0 {NEW}\n")
    done = release(shop, "approved", "staging", "prod", str(waits), GIT_AUTHOR_EMAIL="platform-team@example.com")
    assert (done.returncode, done.stderr) == (0, "")
    assert on_remote(shop, "prod") == kustomization(tag="1.1.0", digest=NEW)
    assert "Approved-By: Platform Team <platform-team@example.com>" in shop.git(
        "log", "-1", "--format=%B", "FETCH_HEAD"
    )


@pytest.mark.registry
@pytest.mark.usefixtures("no_credentials")
def test_set_gives_dev_what_the_build_wrote(shop: Repository, tmp_path: Path, registry: Any) -> None:
    digest = registry.push("ci/app", "3.0.0")
    overlay = shop.overlay("dev")
    name = "name: ghcr.io/example/cartwright/app-000\n"
    overlay.write_text(overlay.read_text().replace(name, f"{name}    newName: {registry.host}/ci/app\n"))
    shop.commit("Pull from the registry")
    shop.git("push", "--quiet", "origin", "main")
    built = tmp_path / "release.txt"
    built.write_text(f"app-000 {registry.host}/ci/app:3.0.0@{digest}\n")
    done = release(shop, "set", "dev", str(built), **registry.environment())
    assert (done.returncode, done.stderr) == (0, "")
    assert f'digest: "{digest}"' in on_remote(shop, "dev")


@pytest.fixture
def build_stub(tmp_path: Path) -> Path:
    """The command, whose `images build` is a stub that copies a layout in place of building one; all else is real."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec {BIN / "python"} "$@"\n')
    (folder / "cartwright").write_text(f"""#!/bin/sh
echo "$@" >> {tmp_path / "calls"}
[ "$1 $2" = "images build" ] || exec {BIN / "cartwright"} "$@"
mkdir -p dist/images && cp -r {tmp_path / "layout"} "dist/images/$3"
""")
    for file in folder.iterdir():
        file.chmod(0o755)
    return folder / "cartwright"


@pytest.mark.registry
@pytest.mark.usefixtures("no_credentials")
def test_build_pushes_and_signs_a_version_once(
    build_stub: Path, tmp_path: Path, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartwright.promotion.signatures import verify
    from cartwright.tools import require

    env = {**os.environ, **registry.environment(), "COSIGN_PASSWORD": "", "CARTWRIGHT": str(build_stub)}
    env |= {
        "REGISTRY_AUTH_FILE": str(registry.docker_config / "config.json"),
        "RELEASE_REGISTRY": f"{registry.host}/ci",
    }
    digest = registry.push("ci/source", "1.0.0", text="built")
    source = f"docker://{registry.host}/ci/source@{digest}"
    copy = ["skopeo", "copy", "--quiet", "--preserve-digests", source, f"oci:{tmp_path / 'layout'}:1.0.0"]
    subprocess.run(copy, env=env, check=True)
    cosign = require(["cosign"])["cosign"]
    subprocess.run([cosign, "generate-key-pair"], cwd=tmp_path, env=env, check=True, capture_output=True)
    env["COSIGN_PRIVATE_KEY"] = (tmp_path / "cosign.key").read_text()
    shop = tmp_path / "shop"
    (shop / "services/catalog/src/catalog").mkdir(parents=True)
    (shop / "services/catalog/src/catalog/__main__.py").touch()
    (shop / "services/catalog/pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
    subprocess.run(["git", "init", "--quiet", shop], check=True)

    def build() -> tuple[int, str]:
        done = subprocess.run(["bash", SCRIPT, "build"], cwd=shop, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    code, said = build()
    assert code == 0, said
    image = f"{registry.host}/ci/catalog:1.0.0@{digest}"
    assert (shop / "dist/release.txt").read_text() == f"catalog {image}\n"
    for name, value in registry.environment().items():
        monkeypatch.setenv(name, value)
    verify(f"{registry.host}/ci/catalog@{digest}", key=tmp_path / "cosign.pub")
    assert build() == (0, "release: catalog 1.0.0 is in the registry\n")
    assert (shop / "dist/release.txt").read_text() == f"catalog {image}\n"
    assert (tmp_path / "calls").read_text().count("images build catalog") == 1


@pytest.mark.registry
@pytest.mark.usefixtures("no_credentials")
def test_build_takes_a_registry_that_refuses_for_no_missing_version(
    build_stub: Path, tmp_path: Path, registry: Any
) -> None:
    shop = tmp_path / "shop"
    (shop / "services/catalog/src/catalog").mkdir(parents=True)
    (shop / "services/catalog/src/catalog/__main__.py").touch()
    (shop / "services/catalog/pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
    subprocess.run(["git", "init", "--quiet", shop], check=True)
    env = {**os.environ, "CARTWRIGHT": str(build_stub), "RELEASE_REGISTRY": f"{registry.host}/ci"}
    env |= {"SSL_CERT_FILE": str(registry.certificate)}
    done = subprocess.run(["bash", SCRIPT, "build"], cwd=shop, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "authentication required" in done.stderr or "unauthorized" in done.stderr
    assert not (shop / "dist/release.txt").exists()
    assert not (tmp_path / "calls").exists()


def test_a_request_that_waits_is_no_failure(shop: Repository, tmp_path: Path) -> None:
    remote = Path(shop.git("remote", "get-url", "origin").strip())
    file = shop.root / "environments/staging/environment.yaml"
    file.write_text(file.read_text().replace("approvals: 0", "approvals: {from: forge}"))
    shop.commit("Ask for a review")
    shop.git("push", "--quiet", "origin", "main")
    with serve(remote, "github") as fake:
        by_request = f"--pr --forge github --project {PROJECT} --api {fake.url}"
        done = release(shop, "promote", "dev", "staging", RELEASE_DELIVERY=by_request, GITHUB_TOKEN=TOKEN)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("/1: it waits for reviews; run the command again after them\n")
        assert [one.draft for one in fake.open()] == [False]


def test_a_failure_that_is_no_gate_is_a_failure(shop: Repository) -> None:
    shop.git("remote", "set-url", "origin", str(shop.root / "nowhere"))
    done = release(shop, "promote", "dev", "staging")
    assert done.returncode == 2
    assert "can't be reached" in done.stderr


def test_without_a_command_it_says_how_it_is_used(shop: Repository) -> None:
    done = release(shop)
    assert done.returncode == 2
    assert "scripts/ci/release.sh approved FROM TO FILE" in done.stderr


def test_the_docs_name_every_code_of_registries_and_signatures() -> None:
    from cartwright.promotion.published import RegistryError
    from cartwright.promotion.signatures import SignatureError

    text = (ROOT / "docs/promotion-ci.md").read_text()
    registry = set(re.findall(r"``([a-z-]+)``", RegistryError.__doc__ or "")) - {"code", "no-tag"}
    assert len(registry) == 11
    assert {code for code in registry if f"`{code}`" not in text} == set()
    signatures = set(re.findall(r"``([a-z-]+)``", SignatureError.__doc__ or ""))
    assert {code for code in signatures if f"`signature-{code}`" not in text} == set()
