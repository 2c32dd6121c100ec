"""A promotion that leaves half of a network edge is refused, and names the apps with which it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwright.promotion.intents import Promote
from tests.promotion.engine import Engine
from tests.promotion.histories import APP, Shop, minutes, policy_files

OTHER = "shop/app-001"
BYSTANDER = "shop/app-002"

pytestmark = pytest.mark.slow


def edge(app: str, direction: str, other: str) -> str:
    """A NetworkPolicy that opens one half of an edge."""
    name, peer = app.rpartition("/")[2], other.rpartition("/")[2]
    return f"""---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {name}-{direction}
  namespace: shop
spec:
  podSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
  policyTypes: [Ingress, Egress]
  {direction}:
    - {"to" if direction == "egress" else "from"}:
        - podSelector: {{matchLabels: {{app.kubernetes.io/name: {peer}}}}}
      ports: [{{port: 8080}}]
"""


def appended(shop: Shop, path: str, text: str) -> dict[str, str]:
    content = shop.files[path]
    return {path: (content.decode() if isinstance(content, bytes) else str(content)) + text}


@pytest.fixture
def ours(tmp_path: Path) -> Engine:
    """In dev one app began to call another, and a third changed for a reason of its own; staging asks for a check."""
    order = {"dev": [], "staging": ["dev"]}
    # Which edges are declared is another question than whether both ends open them.
    rules = {path: text for path, text in policy_files().items() if "/declared-edges/" not in path}
    shop = Shop(tmp_path, gates={"staging": {"check": True}}, upstreams=order, apps=3, extra=rules)
    shop.commit(
        {
            **appended(shop, f"apps/{APP}/service.yaml", edge(APP, "egress", OTHER)),
            **appended(shop, f"apps/{OTHER}/service.yaml", edge(OTHER, "ingress", APP)),
            **appended(shop, f"apps/{BYSTANDER}/service.yaml", "# another port\n"),
        },
        at=minutes(10),
    )
    shop.write()
    return Engine(shop.root, minutes(60))


def test_half_an_edge_is_refused_and_the_refusal_names_what_makes_it_whole(ours: Engine) -> None:
    head = ours.git("rev-parse", "HEAD")
    for app, other in ((APP, OTHER), (OTHER, APP)):
        result = ours.promote("dev", "staging", app)
        verdict = ours.verdict(result, "check", app)
        assert (result.status, verdict.code) == ("blocked", "check-errors")
        assert "edge-has-both-ends" in verdict.sentence
        assert verdict.sentence.endswith(f"; with {other} it would pass: add --with {other}")
    assert ours.git("rev-parse", "HEAD") == head
    result = ours.run(Promote(apps=(APP,), along=(OTHER,), source="dev", target="staging"))
    assert result.status == "promoted"
    assert [move.app for move in result.plan.changed] == [APP, OTHER]


def test_what_no_other_app_mends_names_none(ours: Engine) -> None:
    path = ours.root / f"apps/{BYSTANDER}/deployment.yaml"
    path.write_text(path.read_text().replace("HistoryLimit: 3", "HistoryLimit: three"))
    ours.git("commit", "--quiet", "--all", "--message", "A mistake")
    ours.now = minutes(9_000_000)
    verdict = ours.verdict(ours.promote("dev", "staging", BYSTANDER), "check", BYSTANDER)
    assert verdict.code == "check-errors"
    assert "--with" not in verdict.sentence
    # Nor does an app that can't go itself stand in the way of those that can.
    verdict = ours.verdict(ours.promote("dev", "staging", APP), "check")
    assert verdict.sentence.endswith(f": add --with {OTHER}")


def test_all_leaves_out_what_check_stops_and_judges_the_rest_without_it(ours: Engine) -> None:
    path = ours.root / f"apps/{OTHER}/deployment.yaml"
    path.write_text(path.read_text().replace("HistoryLimit: 3", "HistoryLimit: three"))
    ours.git("commit", "--quiet", "--all", "--message", "A mistake")
    ours.now = minutes(9_000_000)
    result = ours.run(Promote(everything=True, source="dev", target="staging"))
    assert result.status == "promoted"
    # The first app calls the one with the mistake: without that one it would be half an edge.
    assert [move.app for move in result.plan.changed] == [BYSTANDER]
    assert [(one.app, one.code) for one in result.waiting] == [(OTHER, "check-errors"), (APP, "check-errors")]
