"""Drift between environments: what differs that nobody declared, and nothing else."""

from __future__ import annotations

from pathlib import Path

from cartwright.history.git import read_head
from cartwright.history.snapshot import open_snapshot
from cartwright.promotion.audit.drift import find_drift
from tests.promotion.conftest import APP, Repository
from tests.promotion.histories import Shop, minutes, overlay, overlay_path

OWNED = "environments/owned.yaml"


def write(repository: Repository, prod: str, *, owned: str | None = None) -> None:
    """Staging and prod are the same but for what prod adds; ``owned`` is the declaration."""
    plain = repository.overlay("staging").read_text()
    repository.overlay("prod").write_text(plain + prod)
    if owned is not None:
        (repository.root / OWNED).write_text(owned)
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
    assert said.splitlines()[-1].endswith("declare them (environments/owned.yaml)")


def test_what_all_or_one_app_declares_is_no_drift(repository: Repository) -> None:
    replicas = "replicas: [{name: app-000, count: 7}]\n"
    write(repository, replicas, owned="owned: []\n")
    assert drift(repository)[0] == 1
    declared = "owned:\n  - {kind: Deployment, name: app-*, path: spec/replicas, reason: size}\n"
    narrowed = declared.replace("{kind", "{app: shop/app-*, kind")
    for text, expected in ((declared, 0), (narrowed, 0), (narrowed.replace("app-*", "other", 1), 1)):
        write(repository, replicas, owned=text)
        code, said, _ = drift(repository, "--all")
        assert (code, "(size)" in said) == (expected, expected == 0)


def test_what_the_sources_release_would_bring_is_told_apart_from_drift(tmp_path: Path) -> None:
    base = f"apps/{APP}/deployment.yaml"
    shop = Shop(tmp_path)
    schema = "environments/owned.schema.json"
    text = shop.files[base]
    assert isinstance(text, bytes)
    staged = f"environments/staging/{APP}/release"
    limits = text.replace(b"cpu: 500m", b"cpu: 600m")
    own = f"environments/prod/{APP}/kustomization.yaml"
    overlaid = shop.files[own]
    assert isinstance(overlaid, bytes)
    shop.commit(
        {
            base: limits,
            f"{staged}/{base}": limits,
            overlay_path("staging"): overlay("1.1.0", environment="staging"),
            own: overlaid + b"commonAnnotations: {example.org/team: blue}\n",
            schema: (Path(__file__).parents[2] / schema).read_text(),
        },
        at=minutes(10),
    )
    shop.write()
    found = find_drift(open_snapshot(shop.root, read_head(shop.root)), "staging", "prod", [APP])
    kinds = {(each.kind, each.path.rpartition("/")[2]) for one in found.apps for each in one.differences}
    assert {("release", "image"), ("release", "cpu")} <= kinds
    assert {path for kind, path in kinds if kind == "drift"} >= {"annotations"}
    assert not {("drift", "image"), ("drift", "cpu")} & kinds


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
    root = Path(__file__).resolve().parents[2]
    found = find_drift(open_snapshot(root, read_head(root)), "staging", "prod", [])
    assert [(one.app, each.identity, each.path) for one in found.apps for each in one.drift] == []
    assert sum(len(one.differences) for one in found.apps) > 20
