"""Local mirrors of the Git repositories that manifests name as remote bases.

CRDs and Argo CD's install manifests are not copied into this repository: kustomizations name the upstream repository at
a pinned version. kustomize fetches such a base with Git. The same files lie in the Go modules that the tools are built
from, where go.sum vouches for them; a bare repository made of them, and ``url.<mirror>.insteadOf`` in a Git
configuration, serve kustomize without network, the same bytes in `cartwright check` and in Argo CD's repo-server.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel import atomic
from cartwright.kernel.paths import cache_root
from cartwright.kernel.run import run
from cartwright.tools import asset, load_catalogue

__all__ = ["environment"]


@dataclass(frozen=True)
class _Upstream:
    tool: str
    """The tool whose module holds the files."""
    url: str
    """What manifests call the repository."""
    paths: tuple[str, ...]
    """Files and folders of the module that bases need; assets of the tool."""


_UPSTREAMS = (
    _Upstream("argocd", "https://github.com/argoproj/argo-cd", ("manifests",)),
    _Upstream(
        "prometheus-operator",
        "https://github.com/prometheus-operator/prometheus-operator",
        ("kustomization.yaml", "bundle.yaml"),
    ),
    _Upstream("gatekeeper", "https://github.com/open-policy-agent/gatekeeper", ("config/crd",)),
)

_COMMIT = {
    "GIT_AUTHOR_NAME": "cartwright",
    "GIT_AUTHOR_EMAIL": "cartwright@localhost",
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "cartwright",
    "GIT_COMMITTER_EMAIL": "cartwright@localhost",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
}
"""The same files make the same commit on every machine and every day."""

_NO_PROXY_ANSWERS = "http://127.0.0.1:1"


def environment() -> dict[str, str]:
    """Variables for kustomize, and for whatever starts it, so that remote bases come from the mirrors.

    Makes the mirrors where they are missing. The person's own Git configuration still holds, and remote bases of
    other repositories are fetched as ever.

    Raises:
        ToolError: a mirror can't be made.
    """
    mirrors = {upstream.url: _mirror(upstream) for upstream in _UPSTREAMS}
    return {
        "GIT_CONFIG_GLOBAL": str(_git_configuration(mirrors)),
        # Before it asks Git, kustomize tries to download the base as if it were a file. Refused at once, that costs
        # nothing; without a proxy it waits for the network. Git itself does not follow this variable, see below.
        "HTTPS_PROXY": _NO_PROXY_ANSWERS,
        "https_proxy": _NO_PROXY_ANSWERS,
    }


def _name(upstream: _Upstream) -> str:
    tool = load_catalogue()[upstream.tool]
    return f"{upstream.tool}-{tool.version}-{tool.key}"


def _mirror(upstream: _Upstream) -> Path:
    home = cache_root() / "mirrors" / f"{_name(upstream)}.git"
    if home.is_dir():
        return home
    with atomic.fill_folder(home) as bare:
        files = bare.with_name("files")
        for path in upstream.paths:
            source, target = asset(upstream.tool, path), files / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)
        # Nothing of the person's own configuration (hooks, signing, line endings) may change the commit.
        git = {**_COMMIT, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], env=git)
        work = {**git, "GIT_DIR": str(bare), "GIT_WORK_TREE": str(files)}
        run(["git", "add", "--all", "--force"], cwd=files, env=work)
        version = load_catalogue()[upstream.tool].version
        run(["git", "commit", "--quiet", "--no-verify", f"--message={upstream.url} {version}"], env=work)
        run(["git", "tag", version], env=work)
        (bare / "index").unlink(missing_ok=True)
    return home


def _git_configuration(mirrors: dict[str, Path]) -> Path:
    """A global Git configuration: the person's own one, and the mirrors."""
    own = os.environ.get("GIT_CONFIG_GLOBAL")
    home = Path(os.environ.get("HOME", "~")).expanduser()
    config_home = os.environ.get("XDG_CONFIG_HOME")
    included = (
        [Path(own)]
        if own
        else [(Path(config_home) if config_home else home / ".config") / "git" / "config", home / ".gitconfig"]
    )
    lines = [f"[include]\n\tpath = {_quoted(path)}\n" for path in included if "mirrors" not in path.parts]
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or ""
    lines.append(f"[http]\n\tproxy = {_quoted(proxy)}\n")
    for url, mirror in mirrors.items():
        lines.append(f"[url {_quoted(mirror.as_uri())}]\n\tinsteadOf = {url}.git\n\tinsteadOf = {url}\n")
    text = "".join(lines)
    # Named by its content: a running repo-server keeps the one that it was started with.
    file = cache_root() / "mirrors" / f"gitconfig-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not file.is_file():
        atomic.write_text(file, text, mode=0o600)
    return file


def _quoted(value: Path | str) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
