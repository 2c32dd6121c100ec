"""The first promotion of an app into an environment makes its overlay there, from that environment's defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cartwright.check.releases import edited_releases, leading_out
from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.matrix import read_matrix
from cartwright.promotion.audit.verify import verify
from cartwright.promotion.intents import Promote, Rollback
from cartwright.promotion.plan import Context
from cartwright.promotion.report.preview import preview
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import open_tree
from tests.promotion.engine import PERSON, Engine
from tests.promotion.histories import APP, Shop, minutes, overlay, overlay_path

FRESH = "shop/fresh"
STAGED = f"environments/staging/{FRESH}"
LABELS = "apps/components/labels"
BUDGET = "apps/components/disruption-budget"
DEBUG = "apps/components/debug"
REPLICAS = {"target": {"kind": "Deployment"}, "patch": "- {op: replace, path: /spec/replicas, value: 3}\n"}
OVERLAYS = {
    "staging": [
        {"apps": "data/*", "components": [DEBUG]},
        {"apps": "shop/*", "components": [LABELS]},
        {"apps": "*", "components": [DEBUG]},
    ],
    "prod": [{"apps": "shop/fr*", "components": [LABELS, BUDGET], "patches": [REPLICAS]}],
}
TEXT = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization

namespace: shop

resources:
  - release
"""


def settings(shop: Shop, overlays: Mapping[str, Any], **gates: Any) -> dict[str, str]:
    """Every environment.yaml, with what new apps begin with there."""
    found = {}
    for name in shop.upstreams:
        content = json.loads(shop.environment(name, **(gates if name == "staging" else {})))
        if name in overlays:
            content["overlays"] = overlays[name]
        found[f"environments/{name}/environment.yaml"] = json.dumps(content, indent=2)
    return found


def begun(folder: Path, overlays: Mapping[str, Any] = OVERLAYS, **gates: Any) -> Engine:
    """A repository in which dev alone has an app."""
    shop = Shop(folder)
    shop.commit(settings(shop, overlays, **gates), at=minutes(1))
    base = {
        path.replace("app-000", "fresh"): text.decode().replace("app-000", "fresh")
        for path, text in shop.files.items()
        if path.startswith(f"apps/{APP}/") and isinstance(text, bytes)
    }
    text = overlay("0.1.0", FRESH).replace("resources:", "namespace: shop\nresources:")
    shop.commit({**base, overlay_path("dev", FRESH): text}, at=minutes(5), message="Add fresh\n")
    shop.write()
    return Engine(shop.root, minutes(20))


def show(ours: Engine, path: str) -> str:
    return ours.git("show", f"HEAD:{path}")


def codes(ours: Engine) -> list[tuple[str, ...]]:
    head = read_head(ours.root)
    found = verify(open_snapshot(ours.root, head), read_record(ours.root, head.commit, now=minutes(10_000)))
    return [tuple(reason.code for reason in one.reasons) for one in found.findings]


def checked(ours: Engine) -> list[str]:
    """What `check` says of releases."""
    tree = open_tree(ours.root)
    environments = load_environments(tree)
    applications = list(open_snapshot(ours.root, read_head(ours.root)).applications["staging"].values())
    rendered, failures = render(tree, applications)
    assert failures == ()
    found = [*leading_out(rendered, environments, tree), *edited_releases(tree, applications, environments)]
    return [finding.rule for finding, _ in found]


# --- refusals ---------------------------------------------------------------------------------------


def refused(ours: Engine, **more: Any) -> str:
    before = ours.git("rev-parse", "HEAD")
    with pytest.raises(UserError) as caught:
        ours.run(Promote(**({"apps": (FRESH,), "source": "dev", "target": "staging"} | more)))
    assert ours.git("rev-parse", "HEAD") == before
    return str(caught.value)


@pytest.mark.parametrize("part", ["images", "config"])
def test_a_part_alone_cannot_begin_an_app(tmp_path: Path, part: str) -> None:
    told = f"{FRESH}: has no overlay in staging yet, so its whole release goes there (leave --only out)"
    assert refused(begun(tmp_path), only=part) == told


def test_a_component_that_main_does_not_have_is_named_at_its_line(tmp_path: Path) -> None:
    ours = begun(tmp_path, {"staging": [{"apps": "*", "components": ["apps/components/lables"]}]})
    file = "environments/staging/environment.yaml"
    line = (ours.root / file).read_text().splitlines().index('        "apps/components/lables"') + 1
    told = f"{file}:{line}: no component at apps/components/lables (did you mean '{LABELS}'?)"
    assert refused(ours) == told


def test_a_component_that_the_source_does_not_hold_is_named(tmp_path: Path) -> None:
    ours = begun(tmp_path, {})
    ours.promote("dev", "staging", FRESH)
    file = ours.root / "environments/prod/environment.yaml"
    content = json.loads(file.read_text()) | {"overlays": [{"apps": "*", "components": [LABELS]}]}
    file.write_text(json.dumps(content, indent=2))
    ours.git("commit", "--quiet", "--all", "--message", "Label")
    told = (
        f"the release of {FRESH} in staging does not hold {LABELS} (promote {FRESH} to staging again, which brings it)"
    )
    assert refused(ours, source="staging", target="prod").partition(": ")[2] == told
    ours.now = minutes(9_000_000)
    ours.promote("dev", "staging", FRESH)
    assert ours.promote("staging", "prod", FRESH).status == "promoted"


def test_an_image_without_a_digest_is_refused(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    file = ours.root / overlay_path("dev", FRESH)
    file.write_text("".join(line for line in file.read_text().splitlines(True) if "digest" not in line))
    ours.git("commit", "--quiet", "--all", "--message", "No digest")
    assert "cartwright/fresh:0.1.0 has no digest, so it can't be promoted" in refused(ours)


def test_a_cluster_is_not_begun(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    ours.git("rm", "-r", "--quiet", "clusters/staging")
    ours.git("commit", "--quiet", "--message", "No cluster")
    assert refused(ours, apps=("cluster",)) == "cluster: has no overlay in staging (write clusters/staging)"


@pytest.mark.parametrize(
    ("overlays", "word", "told"),
    [
        (
            [{"apps": "*", "component": [LABELS]}],
            '"component"',
            "overlays.0: unknown key 'component' (did you mean 'components'?)",
        ),
        (
            [{"apps": "*", "patches": [{"target": {"knd": "Job"}, "patch": "x"}]}],
            '"knd"',
            "overlays.0.patches.0.target: unknown key 'knd' (did you mean 'kind'?)",
        ),
        ([{"components": [LABELS]}], "    {", "overlays.0: 'apps' is a required property"),
    ],
    ids=["a key", "a key of a target", "no pattern"],
)
def test_a_typo_in_the_defaults_is_named_with_its_line(tmp_path: Path, overlays: Any, word: str, told: str) -> None:
    file = "environments/staging/environment.yaml"
    ours = begun(tmp_path)
    content = json.loads((ours.root / file).read_text()) | {"overlays": overlays}
    text = json.dumps(content, indent=2)
    (ours.root / file).write_text(text)
    with pytest.raises(UserError) as caught:
        load_environments(open_tree(ours.root))
    line = next(number for number, one in enumerate(text.splitlines(), start=1) if word in one)
    assert str(caught.value) == f"{file}:{line}: {told}"


# --- what it makes ----------------------------------------------------------------------------------


def test_the_first_promotion_makes_the_overlay_and_its_release(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    result = ours.promote("dev", "staging", FRESH)
    assert result.status == "promoted"
    assert [(one.key, one.old) for one in result.plan.moves[0].changes] == [("newTag", "none"), ("config", "none")]
    assert show(ours, f"{STAGED}/kustomization.yaml") == f"{TEXT}\ncomponents:\n  - release/{LABELS}\n"
    for path in (f"apps/{FRESH}", LABELS, BUDGET):  # prod begins with the last one, and gets staging's tree
        carried = ours.git("rev-parse", f"HEAD:{STAGED}/release/{path}")
        assert carried == ours.git("rev-parse", f"HEAD:{path}")
    tree = ours.git("rev-parse", f"HEAD:{STAGED}/release").strip()
    assert f"Tree: {tree}" in ours.git("show", "--no-patch", "--format=%B")
    assert all(path.startswith(f"{STAGED}/") for path in ours.git("diff", "--name-only", "HEAD~1", "HEAD").split())
    assert ours.git("status", "--porcelain") == ""
    assert (codes(ours), checked(ours)) == ([], [])


def test_prod_begins_with_its_own_defaults_and_the_same_tree(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    ours.promote("dev", "staging", FRESH)
    ours.promote("staging", "prod", FRESH)
    prod = f"environments/prod/{FRESH}"
    assert show(ours, f"{prod}/kustomization.yaml") == (
        f"{TEXT}\ncomponents:\n  - release/{LABELS}\n  - release/{BUDGET}\n"
        "\npatches:\n  - target:\n      kind: Deployment\n    patch: |\n"
        "      - {op: replace, path: /spec/replicas, value: 3}\n"
    )
    ids = ours.git("rev-parse", f"HEAD:{prod}/release", f"HEAD:{STAGED}/release").split()
    assert ids[0] == ids[1]
    assert codes(ours) == []


def test_an_app_that_no_entry_fits_begins_with_its_release_alone(tmp_path: Path) -> None:
    ours = begun(tmp_path, {"staging": [{"apps": "data/*", "components": [LABELS]}]})
    ours.promote("dev", "staging", FRESH)
    assert show(ours, f"{STAGED}/kustomization.yaml") == TEXT
    assert LABELS not in ours.git("ls-tree", "-r", "--name-only", f"HEAD:{STAGED}/release")


def test_the_gates_are_asked_of_a_first_promotion(tmp_path: Path) -> None:
    ours = begun(tmp_path, soak="30m")
    result = ours.promote("dev", "staging", FRESH)
    assert (result.status, ours.verdict(result, "soak", FRESH).code) == ("blocked", "soak-short")
    assert ours.verdict(result, "upstream", FRESH).passed
    assert ours.git("ls-tree", "-r", "HEAD", "--", STAGED) == ""
    ours.now = minutes(35)
    assert ours.promote("dev", "staging", FRESH).status == "promoted"
    assert codes(ours) == []


def test_an_overlay_that_a_person_wrote_passed_no_gate(tmp_path: Path) -> None:
    ours = begun(tmp_path, soak="30m")
    ours.now = minutes(40)
    ours.promote("dev", "staging", FRESH)
    ours.git("reset", "--quiet", "--soft", "HEAD~1")
    stamp = f"{int(minutes(10).timestamp())} +0000"
    from tests.promotion.engine import git

    git(ours.root, "commit", "--quiet", "--message", "Mine", GIT_AUTHOR_DATE=stamp, GIT_COMMITTER_DATE=stamp)
    assert codes(ours) == [("hand-edit", "soak-short")]


def test_all_takes_only_apps_that_the_target_has(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    result = ours.run(Promote(source="dev", target="staging", everything=True))
    assert FRESH not in [move.app for move in result.plan.moves]
    assert ours.git("ls-tree", "-r", "HEAD", "--", STAGED) == ""


def test_it_lands_in_one_commit_with_an_app_that_is_there(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    head = ours.git("rev-parse", "HEAD")
    result = ours.promote("dev", "staging", FRESH, APP)
    assert [move.app for move in result.plan.moves] == [FRESH, APP]
    assert ours.git("rev-parse", "HEAD~1") == head
    assert ours.git("ls-tree", "HEAD", "--", f"{STAGED}/kustomization.yaml") != ""


def test_a_dry_run_shows_its_objects_as_added(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    result = ours.promote("dev", "staging", FRESH, dry_run=True)
    found = preview(result.plan)
    assert {one.change for one in found} == {"added"}
    assert ("Deployment", "fresh") in [(one.identity.kind, one.identity.name) for one in found]
    assert ours.git("status", "--porcelain") == ""


def test_matrix_and_history_know_it_afterwards(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    ours.promote("dev", "staging", FRESH)
    head = read_head(ours.root)
    context = Context(snapshot=open_snapshot(ours.root, head), by=PERSON, now=minutes(30))
    cells = read_matrix(context, ours.sources).apps[FRESH]
    assert [(one.environment, len(one.waiting), one.behind) for one in cells.values()] == [
        ("dev", 0, ()),
        ("staging", 0, ()),
    ]
    (event,) = [one for one in context.record.events() if (one.environment, one.app) == ("staging", FRESH)]
    assert (event.before, event.before_tree, event.tree) == (
        None,
        None,
        ours.git("rev-parse", f"HEAD:{STAGED}/release").strip(),
    )


def test_what_began_can_be_promoted_again_and_rolled_back(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    ours.promote("dev", "staging", FRESH)
    first = ours.git("rev-parse", f"HEAD:{STAGED}/release")
    assert ours.promote("dev", "staging", FRESH).status == "unchanged"
    (ours.root / overlay_path("dev", FRESH)).write_text(overlay("0.2.0", FRESH))
    ours.git("commit", "--quiet", "--all", "--message", "fresh 0.2.0")
    ours.now = minutes(9_000_000)
    assert ours.promote("dev", "staging", FRESH).status == "promoted"
    assert ours.git("diff", "--numstat", "HEAD~1", "HEAD") == f"2\t2\t{overlay_path('staging', FRESH)}\n"
    assert ours.run(Rollback(app=FRESH, environment="staging", reason="errors")).status == "promoted"
    assert ours.git("rev-parse", f"HEAD:{STAGED}/release") == first


def test_a_registry_is_asked_for_the_name_that_the_release_says(tmp_path: Path) -> None:
    ours = begun(tmp_path)
    file = ours.root / overlay_path("dev", FRESH)
    file.write_text(file.read_text().replace("    newTag:", "    newName: mirror.example.com/fresh\n    newTag:"))
    ours.git("commit", "--quiet", "--all", "--message", "Mirror")
    move = ours.promote("dev", "staging", FRESH, dry_run=True).plan.moves[0]
    assert move.sources == {"ghcr.io/example/cartwright/fresh": "mirror.example.com/fresh"}
