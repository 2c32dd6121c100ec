"""Promotable keys move with the image, in one commit and by one editor; all other configuration stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from cartwright.history.git import read_head
from cartwright.history.record import read_record
from cartwright.history.snapshot import open_snapshot
from cartwright.history.trailers import parse
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.verify import verify
from cartwright.promotion.intents import Promote, Rollback, SetImage
from cartwright.promotion.report.outcome import as_json, as_text
from cartwright.promotion.request.body import render_body
from cartwright.registry.reference import Reference
from cartwright.tree.promotable import Key, read_keys
from cartwright.tree.repository import FolderTree
from tests.promotion.engine import Engine
from tests.promotion.histories import APP, WRITER, Shop, digest, minutes, overlay, overlay_path

DECLARED = f"apps/{APP}/promotable.yaml"
PROMOTABLE = "promotable:\n  - {configMap: app-000, key: SEARCH}\n"


def configured(tag: str, **values: str) -> str:
    """An overlay with literals, each in a style of its own."""
    lines = [f"  - {name}={value}  # {name.lower()}\n" for name, value in values.items()]
    generator = "".join(["configMapGenerator:  # its own\n- name: app-000\n  literals:\n", *lines])
    return overlay(tag) + generator


def write(folder: Path, *, gates: Mapping[str, object] | None = None, **prod: str) -> tuple[Shop, Engine]:
    """Dev runs 1.1.0 with SEARCH=new, prod 1.0.0 with SEARCH=old; LOG_LEVEL is not promotable."""
    prod = prod or {"SEARCH": "old", "LOG_LEVEL": "INFO"}
    shop = Shop(folder, upstreams={"dev": [], "prod": ["dev"]}, apps=1, gates={"prod": gates or {}})
    files = {
        DECLARED: PROMOTABLE,
        overlay_path("dev"): configured("1.0.0", SEARCH="old", LOG_LEVEL="DEBUG"),
        overlay_path("prod"): configured("1.0.0", **prod),
    }
    shop.commit(files, at=minutes(1))
    shop.commit(
        {overlay_path("dev"): configured("1.1.0", SEARCH="new", LOG_LEVEL="DEBUG")},
        at=minutes(10),
        message=shop.message("1.1.0", "dev", apps=[APP]),
    )
    return shop, Engine(root=shop.root, now=minutes(60))


def read(engine: Engine, environment: str) -> str:
    return engine.git("show", f"HEAD:{overlay_path(environment)}")


def test_a_promotable_key_moves_with_the_image_in_one_commit_and_nothing_else_does(tmp_path: Path) -> None:
    shop, engine = write(tmp_path)
    shop.write()
    before = read(engine, "prod")
    result = engine.promote("dev", "prod")
    assert result.status == "promoted"
    new = before.replace("1.0.0", "1.1.0").replace(digest("1.0.0"), digest("1.1.0")).replace("SEARCH=old", "SEARCH=new")
    assert read(engine, "prod") == new
    message = parse(engine.git("log", "-1", "--format=%B"))
    assert message is not None
    assert message.moved[0].config == ("app-000/SEARCH=new",)
    assert engine.promote("dev", "prod").status == "unchanged"


def test_a_dry_run_shows_the_key_as_text_and_json(tmp_path: Path) -> None:
    shop, engine = write(tmp_path)
    shop.write()
    result = engine.promote("dev", "prod", dry_run=True)
    line = read(engine, "prod").splitlines().index("  - SEARCH=old  # search") + 1
    assert f"{overlay_path('prod')}:{line}  app-000/SEARCH  old → new" in as_text(result, None).plain
    (app,) = json.loads(as_json(result, None))["apps"]
    assert app["changes"][-1] == {"image": "", "key": "app-000/SEARCH", "line": line, "old": "old", "new": "new"}
    assert app["config"] == {"app-000/SEARCH": "new"}
    assert "| shop/app-000 | app-000/SEARCH | old | new |" in render_body(result, ())


def test_a_key_alone_can_move_and_all_knows_of_it(tmp_path: Path) -> None:
    shop, engine = write(tmp_path)
    shop.commit({overlay_path("prod"): configured("1.1.0", SEARCH="old", LOG_LEVEL="INFO")}, at=minutes(20))
    shop.write()
    result = engine.run(Promote(source="dev", target="prod", everything=True))
    assert (result.status, [one.key for one in result.plan.moves[0].changes]) == ("promoted", ["app-000/SEARCH"])


def test_the_soak_of_a_key_counts_from_the_commit_that_set_it(tmp_path: Path) -> None:
    shop, engine = write(tmp_path, gates={"soak": "30m"})
    shop.commit({overlay_path("dev"): configured("1.1.0", SEARCH="newer", LOG_LEVEL="DEBUG")}, at=minutes(50))
    shop.write()
    result = engine.promote("dev", "prod")
    soak = engine.verdict(result, "soak")
    assert (result.status, soak.code, soak.until) == ("blocked", "soak-short", minutes(80))
    assert soak.sentence == "the configuration of 1.1.0 has run in dev for 10m of the 30m that prod asks for"


def test_a_key_that_one_side_lacks_is_refused_with_its_file(tmp_path: Path) -> None:
    shop, engine = write(tmp_path, LOG_LEVEL="INFO")
    shop.write()
    with pytest.raises(
        UserError, match="has no literal app-000/SEARCH, which is promotable and which dev sets"
    ) as error:
        engine.promote("dev", "prod")
    assert (error.value.file, error.value.hint) == (
        overlay_path("prod"),
        "write 'SEARCH=…' there once: a promotion only replaces values",
    )


def test_a_rollback_brings_back_the_keys_that_the_release_ran_with_last(tmp_path: Path) -> None:
    shop, engine = write(tmp_path)
    shop.commit({overlay_path("prod"): configured("1.0.0", SEARCH="tuned", LOG_LEVEL="INFO")}, at=minutes(20))
    shop.write()
    engine.promote("dev", "prod")
    result = engine.run(Rollback(app=APP, environment="prod", reason="errors"))
    assert [(one.key, one.new) for one in result.plan.moves[0].changes][-1] == ("app-000/SEARCH", "tuned")
    assert read(engine, "prod") == configured("1.0.0", SEARCH="tuned", LOG_LEVEL="INFO")


def test_a_build_sets_the_image_and_leaves_the_keys(tmp_path: Path) -> None:
    shop, engine = write(tmp_path)
    shop.write()
    images = (Reference("ghcr.io/example/cartwright/app-000", "1.2.0", digest("1.2.0")),)
    result = engine.run(SetImage(app=APP, environment="dev", images=images))
    assert [one.key for one in result.plan.moves[0].changes] == ["newTag", "digest"]


def test_a_typo_in_the_declaration_names_the_nearest_key_and_its_line(tmp_path: Path) -> None:
    schema = Path(__file__).resolve().parents[2] / "environments" / "promotable.schema.json"
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / schema.name).write_bytes(schema.read_bytes())
    file = tmp_path / DECLARED
    file.parent.mkdir(parents=True)
    file.write_text(PROMOTABLE.replace("configMap", "configmap"))
    with pytest.raises(UserError, match="unknown key 'configmap'") as error:
        read_keys(FolderTree(root=tmp_path), APP)
    assert (error.value.file, error.value.line) == (DECLARED, 2)
    assert "configMap" in str(error.value.hint)
    file.write_text(PROMOTABLE)
    assert read_keys(FolderTree(root=tmp_path), APP) == (Key("app-000", "SEARCH"),)


def test_verify_finds_a_key_that_was_changed_by_hand_and_believes_a_promotion(tmp_path: Path) -> None:
    shop, engine = write(tmp_path)
    shop.commit({overlay_path("prod"): configured("1.0.0", SEARCH="hacked", LOG_LEVEL="WARN")}, at=minutes(20))
    shop.write()
    assert engine.promote("dev", "prod").status == "promoted"
    snapshot = open_snapshot(engine.root, read_head(engine.root))
    found = verify(snapshot, read_record(engine.root, snapshot.head.commit, now=engine.now))
    (finding,) = found.findings
    hand = engine.git("rev-parse", "HEAD^").strip()
    assert (finding.event.note.commit, finding.event.note.author) == (hand, WRITER)
    (reason,) = finding.reasons
    sentence = "app-000/SEARCH went from 'old' to 'hacked' by hand: no trailer tells of it"
    assert (reason.code, reason.sentence) == ("hand-edit", sentence)
