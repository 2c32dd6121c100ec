"""What a release in the environment's own folder costs and saves: the repository's growth, and Argo CD's refreshes.

    .venv/bin/python -m benchmarks.releases [--apps N] [--promotions P]

"Before" is a repository in which every environment reads apps/ and pins its images in its overlay, "now" one in which
later environments have their release/.

Refreshes: how many Applications Argo CD builds again after a commit of one file. The paths that each one asks to be
refreshed for are those of argocd/applicationsets: dev's for all (before), or for dev alone and prod's for the others.

Growth: releases go from the first environment to the last; each has a new image, and some have a new base. The commits
have the files and trailers of real promotions, but `git fast-import` writes them: a thousand within seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.history import History, files_below
from benchmarks.promote import ENVIRONMENTS, release_digest
from benchmarks.synthetic import write_repository
from cartwright.history.pinned import Pinned
from cartwright.history.releasetree import render_kustomization
from cartwright.history.trailers import Message, Moved
from cartwright.tree.applications import Application, find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import open_tree

_REPOSITORY = Path(__file__).resolve().parents[1]
_Files = Mapping[str, str | bytes | None]
"""New content by path."""
_BEGIN, _STEP = 1_735_689_600, 600
_BASE_EVERY = 10
"""So many releases of images come to one of the base."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--promotions", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cartwright-bench-") as name:
        root = write_repository(Path(name) / "files", apps=options.apps, environments=ENVIRONMENTS)
        print(f"{options.apps} apps × {len(ENVIRONMENTS)} environments")
        _refreshes(root)
        _growth(Path(name), apps=options.apps, promotions=options.promotions)


def _refreshes(root: Path) -> None:
    tree = open_tree(root)
    applications = find_applications(tree, load_environments(tree))
    commits = {
        "a base": "apps/shop/app-001/deployment.yaml",
        "a component": "apps/components/labels/kustomization.yaml",
        "an overlay": f"environments/{ENVIRONMENTS[-1]}/shop/app-001/kustomization.yaml",
    }
    shared, own = (_generate_paths(name) for name in ("dev", "prod"))
    print(f"\n{len(applications)} Applications; how many of them a commit of one file refreshes")
    print(f"{'':12}{'before':>7}{'now':>7}")
    for what, file in commits.items():
        before = sum(_is_refreshed(one, shared, file) for one in applications)
        now = sum(
            _is_refreshed(one, shared if one.environment == ENVIRONMENTS[0] else own, file) for one in applications
        )
        print(f"{what:12}{before:7}{now:7}")


def _generate_paths(environment: str) -> Mapping[str, str]:
    """``manifest-generate-paths`` of this repository's ApplicationSet, as its template, by the top folder it is for."""
    content = YAML(typ="safe").load(_REPOSITORY / f"argocd/applicationsets/{environment}.yaml")
    generators = [one["git"] for one in content["spec"]["generators"]]
    return {one["directories"][0]["path"].partition("/")[0]: one["values"]["generatePaths"] for one in generators}


def _is_refreshed(application: Application, templates: Mapping[str, str], file: str) -> bool:
    _, group, name = application.path.rsplit("/", 2) if application.path.count("/") > 1 else ("", "", "")
    text = templates[application.path.partition("/")[0]]
    text = text.replace("{{ .path.basename }}", name).replace("{{ index .path.segments 2 }}", group)
    paths = (application.path if path == "." else path.lstrip("/") for path in text.split(";"))
    return any(file.startswith(f"{path}/") for path in paths)


def _growth(folder: Path, *, apps: int, promotions: int) -> None:
    print(f"\n{promotions} promotions, a new base with every {_BASE_EVERY}th release")
    print(f"{'':12}{'begin':>10}{'end':>10}   per promotion  (`git count-objects -v`, packed anew)")
    for what, has_release in (("before", False), ("now", True)):
        files = files_below(write_repository(folder / what, apps=apps, environments=ENVIRONMENTS, releases=has_release))
        commits = list(_commits(files, apps=apps, promotions=promotions, has_release=has_release))
        begin, end = (_kibibytes(folder / f"{what}-{len(some)}", files, some) for some in ([], commits))
        print(f"{what:12}{begin:6} KiB{end:6} KiB{(end - begin) * 1024 / promotions:10.0f} bytes")


def _commits(
    files: _Files, *, apps: int, promotions: int, has_release: bool
) -> Iterator[tuple[str, dict[str, str | bytes | None]]]:
    """Message and files of each commit: a build's release in the first environment, then its way to the last."""
    done, number = 0, 0
    while done < promotions:
        number += 1
        name, tag = f"app-{number % apps:03}", f"1.{number}.0"
        pin = Pinned(f"ghcr.io/example/cartwright/{name}", tag, release_digest(name, tag))
        base = f"apps/shop/{name}/deployment.yaml"
        text = _text(files[base]).replace("progressDeadlineSeconds: 300", f"progressDeadlineSeconds: {300 + number}")
        changed = {base: text} if number % _BASE_EVERY == 0 else {}
        first, *later = ENVIRONMENTS
        yield _message(name, pin, None, first), {**_pinned(files, first, name, pin), **changed}
        for source, target in zip(ENVIRONMENTS, later, strict=False):
            if done == promotions:
                return
            done += 1
            release = f"environments/{target}/shop/{name}/release"
            moved = {f"{release}/kustomization.yaml": render_kustomization([f"apps/shop/{name}"], [pin])}
            moved |= {f"{release}/{path}": content for path, content in changed.items()}
            yield _message(name, pin, source, target), moved if has_release else _pinned(files, target, name, pin)


def _pinned(files: _Files, environment: str, name: str, pin: Pinned) -> dict[str, str | bytes | None]:
    """The overlay with another image."""
    overlay = f"environments/{environment}/shop/{name}/kustomization.yaml"
    head, _, _ = _text(files[overlay]).partition("images:\n")
    return {overlay: f"{head}images:\n  - name: {pin.image}\n    newTag: {pin.tag}\n    digest: {pin.digest}\n"}


def _message(name: str, pin: Pinned, source: str | None, target: str) -> str:
    return Message(
        subject=f"Promote shop/{name} {pin.tag} from {source} to {target}" if source else f"{name} {pin.tag}",
        source=source,
        target=target,
        moved=(Moved(app=f"shop/{name}", tags=(str(pin.tag),), digests=(str(pin.digest),)),),
        gates={"upstream": "passed", "soak": "passed"} if source else {},
    ).render()


def _kibibytes(root: Path, files: _Files, commits: Sequence[tuple[str, _Files]]) -> int:
    """Size of a repository with these commits, packed."""
    history = History()
    history.commit(files, message="Begin\n", at=_BEGIN)
    for number, (message, changed) in enumerate(commits, start=1):
        history.commit(changed, message=message, at=_BEGIN + number * _STEP)
    history.write(root, checkout=False)
    # With -f the deltas are chosen anew: those of fast-import, which `git gc` would keep, are no promotion's.
    subprocess.run(["git", "repack", "-a", "-d", "-f", "-q"], cwd=root, check=True)
    out = subprocess.check_output(["git", "count-objects", "-v"], cwd=root, text=True)
    counts = dict(line.split(": ") for line in out.splitlines())
    return int(counts["size"]) + int(counts["size-pack"])


def _text(content: str | bytes | None) -> str:
    return content.decode() if isinstance(content, bytes) else content or ""


if __name__ == "__main__":
    main()
