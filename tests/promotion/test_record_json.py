"""The JSON of history, matrix, metrics and verify fits the documented schema, in every form that it takes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cartwright.cluster.find import find_hub
from cartwright.history.git import read_head
from cartwright.history.snapshot import open_snapshot
from cartwright.history.trailers import DECISIONS
from cartwright.promotion.audit import changes, pastgates, verify
from cartwright.promotion.audit.matrix import read_matrix
from cartwright.promotion.audit.metrics import measure
from cartwright.promotion.audit.timeline import read_history
from cartwright.promotion.evidence import Sources
from cartwright.promotion.plan import Context
from cartwright.promotion.report.audit import verification_json
from tests.promotion.histories import APP, BEGIN, CHAIN, Shop, minutes, overlay_path

SCHEMA = json.loads(Path("docs/promotion-record.schema.json").read_text(encoding="utf-8"))


def no_signatures(image: str, *, key: Path) -> None:
    raise AssertionError("nobody asked for signatures")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the four commands write of a history with a bit of everything."""
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARTWRIGHT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    shop = Shop(tmp_path, gates={"staging": {"soak": "10m"}, "prod": {"approvals": 1}})
    shop.release("1.1.0", at=minutes(10))
    shop.promote("1.1.0", "dev", "staging", at=minutes(30))
    shop.rollback("1.0.0", "staging", at=minutes(40), until=minutes(100))
    shop.edit("prod", "6.6.6", at=minutes(50))
    shop.commit({overlay_path("staging", "shop/app-001"): "images: 7\n"}, at=minutes(55))
    shop.commit({"environments/prod/shop/app-001": None}, at=minutes(60))
    shop.write(checkout=False)
    context = Context(snapshot=open_snapshot(shop.root, read_head(shop.root)), by="", now=minutes(1000))
    record = context.record
    return {
        "history": read_history(record, APP, environments=list(CHAIN)).to_json(),
        "matrix": read_matrix(
            context, Sources(health=find_hub(shop.root), signatures=no_signatures), apps=[APP]
        ).to_json(),
        "metrics": measure(
            record, upstreams=CHAIN, environments=list(CHAIN), since=BEGIN - timedelta(days=1)
        ).to_json(),
        "verify": verification_json(verify.verify(context.snapshot, record)),
    }


@pytest.mark.parametrize("command", ["history", "matrix", "metrics", "verify"])
def test_what_a_command_writes_fits_its_part_of_the_schema(written: dict[str, Any], command: str) -> None:
    jsonschema.validate(written[command], {**SCHEMA["$defs"][command], "$defs": SCHEMA["$defs"]})
    jsonschema.validate(written[command], SCHEMA)


def test_the_history_that_is_judged_has_something_to_say_everywhere(written: dict[str, Any]) -> None:
    assert written["verify"]["findings"]
    assert written["verify"]["notices"]
    assert any(cell["waiting"] for app in written["matrix"]["apps"] for cell in app["cells"])
    assert {one["kind"] for one in written["history"]["entries"]} == {"start", "set", "promote", "rollback", "edit"}


def test_the_schema_and_the_page_name_every_kind_and_code() -> None:
    sources = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (pastgates, verify))
    page = Path("docs/promotion-record.md").read_text(encoding="utf-8")
    finding = SCHEMA["$defs"]["finding"]["properties"]["reasons"]["items"]["properties"]["code"]["enum"]
    notice = SCHEMA["$defs"]["verify"]["properties"]["notices"]["items"]["properties"]["code"]["enum"]
    kinds = SCHEMA["$defs"]["history"]["properties"]["entries"]["items"]["properties"]["kind"]["enum"]
    assert set(kinds) == {*changes.KINDS, *DECISIONS, "approve"}
    for code in (*finding, *notice):
        assert f'"{code}"' in sources
        assert f"`{code}`" in page
    assert sources.count("Reason(") - sources.count("class Reason") >= len(finding)
