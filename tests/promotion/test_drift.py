"""Drift between environments: what differs that nobody declared, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.promotion.conftest import APP, Repository

OWNED = "environments/owned.yaml"
DECLARED = f"apps/{APP}/promotable.yaml"


def write(repository: Repository, prod: str, **files: str) -> None:
    """Staging and prod are the same but for what prod adds; ``owned`` and ``declared`` are the declarations."""
    plain = repository.overlay("staging").read_text()
    repository.overlay("prod").write_text(plain + prod)
    for name, text in files.items():
        file = repository.root / {"owned": OWNED, "declared": DECLARED}[name]
        file.write_text(text)
    repository.commit()


def drift(repository: Repository, *words: str) -> tuple[int, str, str]:
    ended = repository.run("promote", "drift", "app-000", "--from", "staging", "--to", "prod", *words)
    return ended.code, ended.stdout, ended.stderr


def test_two_that_are_alike_have_none(repository: Repository) -> None:
    write(repository, "", owned="owned: []\n")
    assert drift(repository) == (
        0,
        "shop/app-000: no drift\n0 undeclared differences from staging to prod\n",
        "",
    )


def test_an_undeclared_field_is_told_with_both_values_and_its_place(repository: Repository) -> None:
    write(repository, "commonAnnotations: {example.org/team: blue}\n")
    code, said, _ = drift(repository)
    assert code == 1
    assert "shop/app-000: " in said.splitlines()[0]
    added = [line for line in said.splitlines() if line.startswith("  Deployment app-000 ")]
    assert any("annotations" in line and ": absent → " in line and ".yaml:" in line for line in added)
    assert said.splitlines()[-1].endswith("declare them (environments/owned.yaml, promotable.yaml)")


def test_what_all_or_one_app_declares_is_no_drift(repository: Repository) -> None:
    replicas = "replicas: [{name: app-000, count: 7}]\n"
    write(repository, replicas, owned="owned: []\n")
    assert drift(repository)[0] == 1
    declared = "owned:\n  - {kind: Deployment, name: app-*, path: spec/replicas, reason: size}\n"
    for files in ({"owned": declared}, {"owned": "owned: []\n", "declared": declared}):
        write(repository, replicas, **files)
        code, said, _ = drift(repository, "--all")
        assert (code, "(size)" in said) == (0, True)
        (repository.root / DECLARED).unlink(missing_ok=True)


def test_a_release_and_a_promotable_key_are_told_apart_from_drift(repository: Repository) -> None:
    generator = "configMapGenerator: [{name: settings, literals: [SEARCH=%s, OTHER=%s]}]\n"
    staging = repository.overlay("staging")
    staging.write_text(staging.read_text() + generator % ("new", "x"))
    write(repository, "", declared="promotable: [{configMap: settings, key: SEARCH}]\n")
    prod = repository.overlay("prod")
    prod.write_text(prod.read_text().replace("SEARCH=new, OTHER=x", "SEARCH=old, OTHER=y").replace("1.0.0", "0.9.0"))
    repository.commit()
    code, said, _ = drift(repository, "--format", "json")
    data = json.loads(said)
    (app,) = data["apps"]
    found = {(one["kind"], one["object"]["kind"], one["path"]): (one["from"], one["to"]) for one in app["differences"]}
    assert found["promotable", "ConfigMap", "data/SEARCH"] == ("new", "old")
    assert found["drift", "ConfigMap", "data/OTHER"] == ("x", "y")
    assert [kind for kind, _, path in found if path.endswith("/image")] == ["release"]
    assert (code, data["version"], data["drift"], len(found)) == (1, 1, 1, 3)


def test_bad_input_is_one_line_and_exit_code_2(repository: Repository) -> None:
    write(repository, "", owned="owned: [{pth: spec/replicas, reason: size}]\n")
    code, said, error = drift(repository)
    assert (code, said) == (2, "")
    assert f"{OWNED}:1: " in error
    assert "unknown key 'pth'" in error
    assert "path" in error
    ended = repository.run("promote", "drift", "--from", "staging", "--to", "prd")
    assert (ended.code, "no environment 'prd'" in ended.stderr, "prod" in ended.stderr) == (2, True, True)


def test_staging_and_prod_of_this_repository_differ_by_what_is_declared_alone() -> None:
    from cartwright.history.git import read_head
    from cartwright.history.snapshot import open_snapshot
    from cartwright.promotion.audit.drift import find_drift

    root = Path(__file__).resolve().parents[2]
    found = find_drift(open_snapshot(root, read_head(root)), "staging", "prod", [])
    assert [(one.app, each.identity, each.path) for one in found.apps for each in one.drift] == []
    assert sum(len(one.differences) for one in found.apps) > 20
