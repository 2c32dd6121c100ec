"""A release is everything that runs: base, components and images move as one tree, and nothing else moves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.history.carry import carried_release
from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.verify import verify
from cartwright.promotion.intents import Hold, Promote, Rollback
from tests.promotion.engine import Engine
from tests.promotion.histories import APP, BEGIN, Shop, minutes, overlay, overlay_path, policy_files

BASE = f"apps/{APP}/deployment.yaml"
COMPONENT = "apps/components/labels/kustomization.yaml"
STAGED = f"environments/staging/{APP}/release"
PROD = f"environments/prod/{APP}/release"


def changed(shop: Shop, path: str = BASE, *, old: str = "replicas: 1", new: str = "replicas: 2") -> dict[str, str]:
    """A base with one field changed."""
    text = shop.files[path]
    assert isinstance(text, bytes)
    assert old in text.decode()
    return {path: text.decode().replace(old, new)}


def engine(shop: Shop, *, at: float) -> Engine:
    shop.write()
    return Engine(shop.root, minutes(at))


def tree(ours: Engine, folder: str, at: str = "HEAD") -> str:
    return ours.git("rev-parse", f"{at}:{folder}").strip()


def findings(ours: Engine) -> list[tuple[str, ...]]:
    head = read_head(ours.root)
    found = verify(open_snapshot(ours.root, head), read_record(ours.root, head.commit, now=minutes(10_000)))
    return [tuple(reason.code for reason in one.reasons) for one in found.findings]


def test_a_promotion_brings_base_component_and_image_as_one_tree(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.commit({**changed(shop), COMPONENT: b"# ours\n" + _bytes(shop, COMPONENT)}, at=minutes(11))
    ours = engine(shop, at=60)
    result = ours.promote("dev", "staging")
    assert result.status == "promoted"
    assert [(one.key, one.image != "") for one in result.plan.moves[0].changes] == [
        ("newTag", True),
        ("digest", True),
        ("config", False),
    ]
    for path in (BASE, COMPONENT):
        assert ours.git("rev-parse", f"HEAD:{STAGED}/{path}") == ours.git("rev-parse", f"HEAD:{path}")
    ours.promote("staging", "prod")
    assert tree(ours, PROD) == tree(ours, STAGED), "the same id is the same bytes"
    assert f"Tree: {tree(ours, PROD)}" in ours.git("show", "--no-patch", "--format=%B")
    assert ours.git("status", "--porcelain") == ""
    assert findings(ours) == []


def test_main_moves_on_and_the_release_does_not(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    before = {
        path: text
        for path, text in shop.files.items()
        if path.startswith(("environments/staging", "environments/prod"))
    }
    shop.commit(changed(shop), at=minutes(10))
    ours = engine(shop, at=60)
    after = ours.git("diff", "--name-only", "HEAD~1", "HEAD").split()
    assert after == [BASE]
    assert not before.keys() & set(after)


def test_a_promotion_of_a_version_changes_two_lines_of_one_file(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    ours = engine(shop, at=60)
    ours.promote("dev", "staging")
    assert ours.git("diff", "--numstat", "HEAD~1", "HEAD") == f"2\t2\t{overlay_path('staging')}\n"


def test_a_rollback_brings_back_image_base_and_component(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release("1.1.0", at=minutes(10))
    shop.commit({**changed(shop), COMPONENT: b"# ours\n" + _bytes(shop, COMPONENT)}, at=minutes(11))
    ours = engine(shop, at=60)
    before = tree(ours, STAGED)
    ours.promote("dev", "staging")
    assert tree(ours, STAGED) != before
    ours.now = minutes(90)
    result = ours.run(Rollback(app=APP, environment="staging", reason="errors"))
    assert result.status == "promoted"
    assert tree(ours, STAGED) == before
    assert findings(ours) == []


def test_a_file_that_left_the_base_leaves_the_release(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    kustomization = f"apps/{APP}/kustomization.yaml"
    left = changed(shop, kustomization, old="  - service.yaml\n", new="")
    shop.commit({**left, f"apps/{APP}/service.yaml": None}, at=minutes(10))
    ours = engine(shop, at=60)
    ours.promote("dev", "staging")
    assert f"{STAGED}/apps/{APP}/service.yaml" not in ours.git("ls-tree", "-r", "--name-only", "HEAD")
    assert not (ours.root / STAGED / "apps" / APP / "service.yaml").exists()
    assert ours.git("status", "--porcelain") == ""


def test_only_images_passes_while_a_component_soaks(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"staging": {"soak": "30m"}})
    shop.release("1.1.0", at=minutes(10))
    shop.commit({COMPONENT: b"# ours\n" + _bytes(shop, COMPONENT)}, at=minutes(50))
    ours = engine(shop, at=60)
    whole = ours.promote("dev", "staging")
    assert (whole.status, ours.verdict(whole, "soak").code) == ("blocked", "soak-short")
    assert ours.verdict(whole, "soak").until == minutes(80)
    component = tree(ours, f"{STAGED}/{COMPONENT}")
    images = ours.run(Promote(apps=(APP,), source="dev", target="staging", only="images"))
    assert images.status == "promoted"
    assert tree(ours, f"{STAGED}/{COMPONENT}") == component, "the component stays behind"
    assert "newTag: 1.1.0" in ours.git("show", f"HEAD:{overlay_path('staging')}")
    assert "Only: images" in ours.git("show", "--no-patch", "--format=%B")
    assert findings(ours) == []
    ours.now = minutes(80)
    assert ours.promote("dev", "staging").status == "promoted"
    assert findings(ours) == []


def test_only_config_leaves_the_images(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"staging": {"soak": "30m"}})
    shop.commit(changed(shop), at=minutes(10))
    shop.release("1.1.0", at=minutes(50))
    ours = engine(shop, at=60)
    result = ours.run(Promote(apps=(APP,), source="dev", target="staging", only="config"))
    assert result.status == "promoted"
    assert "newTag: 1.0.0" in ours.git("show", f"HEAD:{overlay_path('staging')}")
    assert b"replicas: 2" in (ours.root / STAGED / BASE).read_bytes()
    assert findings(ours) == []


def test_a_base_that_changed_in_dev_soaks_anew(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"staging": {"soak": "30m"}})
    shop.release("1.1.0", at=minutes(10))
    shop.commit(changed(shop), at=minutes(45))
    ours = engine(shop, at=60)
    soak = ours.verdict(ours.promote("dev", "staging"), "soak")
    assert (soak.code, soak.until) == ("soak-short", minutes(75))


@pytest.mark.parametrize("file", [f"{STAGED}/{BASE}", f"{STAGED}/apps/{APP}/new.yaml", overlay_path("staging")])
def test_verify_names_a_hand_edit_below_release(tmp_path: Path, file: str) -> None:
    shop = Shop(tmp_path)
    text = shop.files.get(file, b"# new\n")
    text = text.encode() if isinstance(text, str) else text or b""
    shop.commit({file: text.replace(b"1.0.0", b"6.6.6") + b"# mine\n"}, at=minutes(10))
    ours = engine(shop, at=60)
    assert [codes[0] for codes in findings(ours)] == ["hand-edit"] or file == overlay_path("staging")
    if file != overlay_path("staging"):
        assert findings(ours) == [("hand-edit", "upstream-other")]


def test_a_release_that_upstream_never_ran_is_refused_as_a_source(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    text = _bytes(shop, f"{STAGED}/{BASE}").replace(b"replicas: 1", b"replicas: 9")
    shop.commit({f"{STAGED}/{BASE}": text}, at=minutes(10))
    ours = engine(shop, at=60)
    result = ours.promote("staging", "prod")
    assert result.status == "blocked"
    assert ours.verdict(result, "upstream").code == "upstream-unproven"


def test_a_revert_of_a_promotion_runs_and_its_soak_begins_anew(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gates={"prod": {"soak": "30m"}})
    shop.release("1.1.0", at=minutes(10))
    ours = engine(shop, at=20)
    ours.promote("dev", "staging")
    stamp = f"{int(minutes(40).timestamp())} +0000"
    git_env = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    from tests.promotion.engine import git

    git(ours.root, "revert", "--no-edit", "HEAD", **git_env)
    ours.now = minutes(60)
    soak = ours.promote("staging", "prod")
    assert soak.status == "unchanged", "prod runs what staging went back to"
    running = read_record(ours.root, read_head(ours.root).commit, now=minutes(60)).running("staging", APP)
    assert running is not None
    assert running.since == minutes(40)


def test_a_component_that_a_later_overlay_names_is_carried(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    extra = "apps/components/debug/kustomization.yaml"
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    own = f"environments/prod/{APP}/kustomization.yaml"
    shop.commit(
        {
            extra: component,
            own: _bytes(shop, own).replace(b"components:", b"components:\n  - release/apps/components/debug"),
        },
        at=minutes(5),
    )
    ours = engine(shop, at=10)
    snapshot = open_snapshot(ours.root, read_head(ours.root))
    release = carried_release(snapshot, "dev", APP)
    assert release.tree is not None
    assert extra in release.tree.files
    without = carried_release(open_snapshot(ours.root, read_head(ours.root)), "dev", "shop/app-001")
    assert without.tree is not None
    assert extra not in without.tree.files
    brought = carried_release(snapshot, "dev", "shop/app-001", bring=["apps/components/debug"])
    assert brought.tree is not None
    assert extra in brought.tree.files


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {f"{BASE}@": "service.yaml", BASE: None},
            rf"environments/dev/{APP}/kustomization.yaml: refers to {BASE}, which is a symbolic link; "
            r"a release holds plain files alone \(copy the file\)",
        ),
        (
            {overlay_path("dev"): overlay("1.0.0").replace(f"../../../../apps/{APP}", "../../../../../outside")},
            "no such file or folder",
        ),
        (
            {
                overlay_path("dev"): overlay("1.0.0").replace(f"../../../../apps/{APP}", "mine.yaml"),
                f"environments/dev/{APP}/mine.yaml": "{}\n",
            },
            "refers to no base outside of its folder, so there is no release to carry",
        ),
        (
            {
                overlay_path("dev"): overlay("1.0.0") + "patches:\n  - path: ../../../../policies/p.yaml\n",
                "policies/p.yaml": "{}\n",
            },
            "refers to policies/p.yaml, which stands outside of apps, clusters, environments; a release can't carry it",
        ),
    ],
    ids=["symbolic link", "outside of the repository", "no base", "another folder"],
)
def test_what_a_release_cannot_carry_is_refused(tmp_path: Path, files: dict[str, str | None], message: str) -> None:
    shop = Shop(tmp_path)
    shop.commit(dict(sorted(files.items(), key=lambda one: one[1] is not None)), at=minutes(5))
    ours = engine(shop, at=10)
    with pytest.raises(UserError, match=message):
        ours.promote("dev", "staging")


def test_odd_names_and_modes_come_along(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    kustomization = f"apps/{APP}/kustomization.yaml"
    generator = "  - name: odd\n    files: ['a b ü.txt', big.bin]\n"
    shop.commit(
        {
            **changed(shop, kustomization, old="configMapGenerator:\n", new=f"configMapGenerator:\n{generator}"),
            f"apps/{APP}/a b ü.txt": "x\n",
            f"apps/{APP}/big.bin": b"\0\xff" * (6 << 20),
        },
        at=minutes(5),
    )
    ours = engine(shop, at=10)
    (ours.root / "apps" / APP / "a b ü.txt").chmod(0o755)
    ours.git("commit", "--quiet", "--all", "--message", "Executable")
    ours.now = minutes(9_000_000)
    assert ours.promote("dev", "staging").status == "promoted"
    assert tree(ours, f"{STAGED}/apps/{APP}") == tree(ours, f"apps/{APP}"), "modes, names and bytes are the same"
    assert ours.git("status", "--porcelain") == ""


def test_a_cluster_is_promoted_like_an_app(tmp_path: Path) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
    shop = Shop(
        tmp_path,
        extra={
            "clusters/base/kustomization.yaml": f"{kustomization}  - namespace.yaml\n",
            "clusters/base/namespace.yaml": namespace,
            "clusters/dev/kustomization.yaml": f"{kustomization}  - ../base\n",
            "clusters/staging/kustomization.yaml": f"{kustomization}  - release\n",
            "clusters/staging/release/kustomization.yaml": f"{kustomization}  - clusters/base\n",
            "clusters/staging/release/clusters/base/kustomization.yaml": f"{kustomization}  - namespace.yaml\n",
            "clusters/staging/release/clusters/base/namespace.yaml": namespace,
        },
    )
    shop.commit({"clusters/base/namespace.yaml": namespace + "  # ours\n"}, at=minutes(5))
    ours = engine(shop, at=10)
    result = ours.promote("dev", "staging", "cluster")
    assert (result.status, [one.key for one in result.plan.moves[0].changes]) == ("promoted", ["config"])
    folder = "clusters/staging/release/clusters/base"
    assert tree(ours, folder) == tree(ours, "clusters/base")
    assert findings(ours) == []


def _bytes(shop: Shop, path: str) -> bytes:
    text = shop.files[path]
    assert text is not None
    return text.encode() if isinstance(text, str) else text


assert BEGIN


def test_a_new_name_in_every_environment_at_once_is_a_release_like_any_other(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    renamed = {
        path: text
        for name in ("dev", "staging", "prod")
        for path, text in shop.folder_moved(f"environments/{name}/{APP}", f"environments/{name}/shop/web").items()
    }
    pins = {
        f"environments/{name}/shop/web/{'' if name == 'dev' else 'release/'}kustomization.yaml": overlay(
            "6.6.6", environment=name
        )
        for name in ("dev", "staging", "prod")
    }
    shop.commit({**renamed, **pins}, at=minutes(10))
    ours = engine(shop, at=60)
    assert findings(ours) == [("hand-edit", "upstream-other"), ("hand-edit", "upstream-other")]


def test_a_folder_that_is_renamed_as_it_was_is_no_finding(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    renamed = {
        path: text
        for name in ("dev", "staging", "prod")
        for path, text in shop.folder_moved(f"environments/{name}/{APP}", f"environments/{name}/shop/web").items()
    }
    shop.commit(renamed, at=minutes(10))
    assert findings(engine(shop, at=60)) == []


def test_a_link_in_place_of_an_overlay_is_a_finding(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    folder = f"environments/prod/{APP}"
    shop.commit({folder: None, f"{folder}@": f"../../staging/{APP}"}, at=minutes(10))
    ours = engine(shop, at=60)
    assert findings(ours) == [("unreadable",)]


@pytest.mark.slow
def test_a_promotion_is_judged_by_check_on_the_environment_as_it_will_be(tmp_path: Path) -> None:
    order = {"dev": [], "staging": ["dev"]}
    shop = Shop(tmp_path, gates={"staging": {"check": True}}, upstreams=order, extra=policy_files())
    shop.commit(changed(shop, old="HistoryLimit: 3", new="HistoryLimit: three"), at=minutes(10))
    ours = engine(shop, at=60)
    head = ours.git("rev-parse", "HEAD")
    result = ours.promote("dev", "staging")
    verdict = ours.verdict(result, "check")
    assert (result.status, verdict.code) == ("blocked", "check-errors")
    what = f"{STAGED}/{BASE}:9: schema: spec.revisionHistoryLimit: got string, want null or integer"
    assert verdict.sentence.startswith("staging would fail `cartwright check`: ")
    assert verdict.sentence.endswith(what)
    assert ours.git("rev-parse", "HEAD") == head
    (ours.root / BASE).write_bytes(_bytes(shop, BASE))
    ours.git("commit", "--quiet", "--all", "--message", "Mend it")
    ours.now = minutes(9_000_000)
    result = ours.promote("dev", "staging")
    assert result.status == "unchanged"


def test_a_hold_keeps_the_base_as_well_as_the_images(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.commit(changed(shop), at=minutes(10))
    ours = engine(shop, at=20)
    ours.run(Hold(apps=(APP,), environment="staging", reason="audit", until=minutes(100)))
    ours.now = minutes(30)
    result = ours.promote("dev", "staging")
    assert (result.status, ours.verdict(result, "hold").code) == ("blocked", "held")
    assert ours.promote("dev", "staging", override_hold="it mends the audit").status == "promoted"
    assert findings(ours) == []


def test_a_release_that_is_taken_away_is_a_finding(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    own = f"environments/prod/{APP}/kustomization.yaml"
    following = (
        _bytes(shop, own)
        .decode()
        .replace("- release/apps", "- ../../../../apps")
        .replace("- release", f"- ../../../../apps/{APP}")
    )
    images = overlay("1.0.0").partition("images:")[2]
    shop.commit({PROD: None, own: f"{following}images:{images}"}, at=minutes(10))
    assert findings(engine(shop, at=60)) == [("release-left",)]
