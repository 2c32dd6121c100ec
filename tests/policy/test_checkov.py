"""A second opinion: checkov over everything that is rendered finds nothing that has no reason."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.errors import ToolError, UserError
from cartwright.prove.shop import read_shop
from cartwright.tools import require_python
from cartwright.tree.repository import find_root, open_tree
from tests.policy.second_opinion import BASELINE, ask, load_skips

pytestmark = pytest.mark.slow

Objects = Mapping[str, Sequence[Mapping[str, Any]]]


@pytest.fixture(scope="module")
def checkov() -> Path:
    return require_python("checkov")


@pytest.fixture(scope="module")
def shop() -> Objects:
    """Every object of every environment, by environment and app; definitions of kinds are no concern of checkov's."""
    shop = read_shop(open_tree(find_root(), None))
    return {
        f"{realm}-{app.replace('/', '-')}": [one for one in items if one["kind"] != "CustomResourceDefinition"]
        for realm in shop.realms
        for app, items in shop.objects(realm).items()
        if realm != "hub"
    }


def test_the_shop_has_no_finding_without_a_reason(checkov: Path, shop: Objects) -> None:
    opinion = ask(checkov, shop, load_skips(find_root()))
    assert opinion.findings == ()
    assert opinion.unused == ()
    # Custom resources are none of its business; most of the rest it must have read.
    assert opinion.judged > 0.9 * sum(len(items) for items in shop.values())


def test_a_broken_object_and_a_reason_that_nothing_needs_are_found(checkov: Path, shop: Objects) -> None:
    broken = copy.deepcopy(list(shop["prod-shop-catalog"]))
    deployment = next(one for one in broken if one["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    opinion = ask(checkov, {"broken": broken}, load_skips(find_root()))
    assert opinion.findings == ("CKV_K8S_16 Deployment.shop.catalog: Container should not be privileged",)
    assert any(unused.endswith("CKV_K8S_43 Deployment.platform.prometheus-operator") for unused in opinion.unused)


def test_no_object_is_no_pass(checkov: Path) -> None:
    with pytest.raises(ToolError, match="read 0 objects"):
        ask(checkov, {"nothing": []}, ())


def test_an_entry_without_a_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / BASELINE).write_text("- check: CKV_K8S_35\n  objects: [Pod.shop.x]\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"policies/checkov\.yaml:1: .*'reason' is a required property"):
        load_skips(tmp_path)
