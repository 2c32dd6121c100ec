"""The third engine: Gatekeeper's controller refuses what `check` finds, in the same words, and its audit counts it."""

from __future__ import annotations

import copy
import http
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cartwright.cluster.kubectl import Kubectl
from cartwright.kernel.errors import ToolError
from cartwright.policy.cases import load_cases
from cartwright.policy.documents import Document
from cartwright.policy.engine import PolicyFinding, evaluate_documents
from cartwright.policy.gatekeeper import Settings, constraint, enforcement, template
from cartwright.policy.kinds import is_cluster_wide, resource_of, version_of
from cartwright.policy.model import Kind, Rule, load_rules
from cartwright.prove.shop import read_shop
from cartwright.tools import require
from cartwright.tree.names import read_names
from cartwright.tree.repository import find_root, open_tree
from tests.cluster.gatekeeper_sandbox import Cluster, Object, running_gatekeeper
from tests.cluster.sandbox import until
from tests.policy.admission import NAME, Answer

pytestmark = pytest.mark.cluster

_ROOT = find_root(Path(__file__))
_POLICIES = _ROOT / "policies"
_CASES = int(os.environ.get("CARTWRIGHT_GATEKEEPER_CASES", "2"))
"""Failing cases of each rule; ``CARTWRIGHT_GATEKEEPER_CASES=100`` tries all."""
_LONGEST = 256
"""The audit and the API server's warnings cut a message there."""
_ELSEWHERE = frozenset({"same-repository-same-digest", "priority-class-exists", "rbac-cluster-secrets"})
"""Rules that look beyond the namespace: here they see the other fixtures, and what every cluster has, as well."""

Found = tuple[str, str]
"""Rule and message."""


@dataclass(frozen=True)
class World:
    """Every fixture's objects as the API server took them, and what there is to say of each."""

    cluster: Cluster
    rules: Mapping[str, Rule]
    refused: frozenset[str]
    """Rules whose violations are refused; the others' are warned of."""
    written: Mapping[str, Sequence[Document]]
    """Objects of each fixture, with namespaces of its own, as they were written."""
    taken: Mapping[str, Sequence[Object]]
    """Those that the API server took, as it keeps them."""
    findings: Mapping[str, Sequence[PolicyFinding]]
    """What `check` finds in those."""

    def expected(self, fixture: str, one: Object) -> set[Found]:
        """What `check` finds in an object."""
        return {
            (finding.rule, finding.message)
            for finding in self.findings.get(fixture, ())
            if (finding.resource.kind, finding.resource.namespace, finding.resource.name) == _identity(one)
            and finding.rule not in _ELSEWHERE
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Gatekeeper with every rule of the cluster, for all namespaces, over the fixtures."""
    rules = {rule.id: rule for rule in load_rules(_POLICIES) if "admission" in rule.runs_in}
    actions = {rule: enforcement(rules[rule]) for rule in rules}
    written = dict(_written(rules.values()))
    objects = [document.object for documents in written.values() for document in documents]
    manifests = [
        one
        if one["kind"] != "ConstraintTemplate"
        else {**one, "spec": template(list(rules.values()), _POLICIES)["spec"]}
        for one in _manifests()
    ]
    with running_gatekeeper(
        tmp_path_factory.mktemp("gatekeeper"),
        manifests,
        before=[*_namespaces(objects), *(one for one in objects if one["kind"] != "Namespace")],
        constraints=[constraint(rules[rule], {}, actions[rule], Settings()) for rule in rules],
    ) as cluster:
        taken = _taken(cluster, written)
        documents = [
            Document(path=fixture, index=index, object=one)
            for fixture, found in taken.items()
            for index, one in enumerate(found)
        ]
        evaluation = evaluate_documents(
            documents, {}, require(["conftest"])["conftest"], policies=_POLICIES, isolate=True, only=list(rules)
        )
        findings: dict[str, list[PolicyFinding]] = {}
        for one in evaluation.findings:
            findings.setdefault(one.file, []).append(one)
        yield World(
            cluster=cluster,
            rules=rules,
            refused=frozenset(rule for rule in rules if actions[rule] == {"enforcementAction": "deny"}),
            written=written,
            taken=taken,
            findings=findings,
        )


@pytest.fixture(scope="module")
def kubectl(world: World) -> Kubectl:
    """kubectl as the administrator."""
    return Kubectl(require(["kubectl"])["kubectl"], world.cluster.server.plan.layout.kubeconfig(NAME))


@pytest.fixture
def catalog() -> dict[str, Any]:
    """The shop's own Deployment as dev gets it, from the registry that the rules allow where nobody names one."""
    found = read_shop(open_tree(_ROOT)).objects("dev")["shop/catalog"]
    deployment = copy.deepcopy(dict(next(one for one in found if one["kind"] == "Deployment")))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = container["image"].replace(read_names(open_tree(_ROOT)).registry, "ghcr.io/example/cartwright")
    return deployment


def test_the_shops_own_deployment_is_admitted(kubectl: Kubectl, catalog: dict[str, Any]) -> None:
    assert "serverside-applied (server dry run)" in kubectl(
        "apply", "--server-side", "--dry-run=server", "--filename=-", stdin=json.dumps(catalog)
    )


@pytest.mark.parametrize("dry_run", [["--dry-run=server"], []], ids=["dry run", "apply"])
def test_without_a_read_only_root_the_same_deployment_is_refused(
    kubectl: Kubectl, catalog: dict[str, Any], dry_run: list[str]
) -> None:
    del catalog["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    with pytest.raises(ToolError) as refused:
        kubectl("apply", *dry_run, "--filename=-", stdin=json.dumps(catalog))
    document = Document(path="catalog", index=0, object=catalog)
    (finding,) = evaluate_documents(
        [document],
        {},
        require(["conftest"])["conftest"],
        policies=_POLICIES,
        only=["read-only-root-filesystem"],
    ).findings
    assert 'admission webhook "validation.gatekeeper.sh" denied the request: ' in str(refused.value)
    assert f"[read-only-root-filesystem] {finding.message}" in str(refused.value)


def test_every_fail_fixture_is_refused_or_warned_of_with_the_rule_and_message_of_check(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [(fixture, one) for fixture, found in world.taken.items() for one in found if one["kind"] != "Namespace"]
    answers = world.cluster.server.map(lambda case: _update(world.cluster, case[1]), asked)
    wrong = []
    spoken: Counter[str] = Counter()
    for (fixture, one), answer in zip(asked, answers, strict=True):
        expected = world.expected(fixture, one)
        denied = {found for found in expected if found[0] in world.refused}
        said = set(_denied(answer))
        if said != denied:
            wrong.append(f"{fixture} {_identity(one)}: refused for {said ^ denied}")
        for rule, message in expected - denied:
            warning = f"[{rule}] {message}"[: _LONGEST - 20]
            # A refusal's warnings and more than 4 KiB of them are cut by the API server.
            if not any(text.startswith(warning) for text in answer.warnings) and len(answer.warnings) < 10:
                wrong.append(f"{fixture} {_identity(one)}: no warning {warning}")
        spoken.update({rule for rule, _ in expected})
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(world.written)} fail fixtures of {len(world.rules)} rules, {len(asked)} objects taken, "
            f"{sum(answer.status == http.HTTPStatus.FORBIDDEN for answer in answers)} refused, {len(wrong)} differences"
        )
    assert not wrong, "\n".join(wrong)
    assert len(spoken) > 60


def test_the_audit_counts_what_check_prints(world: World) -> None:
    expected: Counter[tuple[str, str, str, str, str]] = Counter()
    for fixture, found in world.taken.items():
        for one in found:
            expected.update(
                (rule, *_identity(one), message[: _LONGEST - 3]) for rule, message in world.expected(fixture, one)
            )
    places = {place[1:4] for place in expected} | {_identity(one) for found in world.taken.values() for one in found}

    def audited() -> Counter[tuple[str, str, str, str, str]]:
        return Counter(
            (one["metadata"]["name"], *place, violation["message"][: _LONGEST - 3])
            for one in world.cluster.constraints()
            for violation in one["status"].get("violations", ())
            for place in [(violation["kind"], violation.get("namespace", ""), violation["name"])]
            if place in places and one["metadata"]["name"] not in _ELSEWHERE
        )

    assert until(lambda: set(audited()) == set(expected), seconds=40), (
        sorted(set(expected) - set(audited()))[:5],
        sorted(set(audited()) - set(expected))[:5],
    )
    assert len(expected) > 1000
    totals = {one["metadata"]["name"]: one["status"]["totalViolations"] for one in world.cluster.constraints()}
    assert sum(totals.values()) >= sum(expected.values())


def test_what_the_api_server_fills_in_changes_no_verdict(world: World) -> None:
    """A rule of which this is not true says so in its METADATA (`git_only`) and has no constraint."""
    conftest = require(["conftest"])["conftest"]
    documents = [document for found in world.written.values() for document in found]
    raw = evaluate_documents(documents, {}, conftest, policies=_POLICIES, isolate=True, only=list(world.rules))
    taken = {(fixture, _identity(one)) for fixture, found in world.taken.items() for one in found}
    whole = {fixture for fixture, found in world.written.items() if len(found) == len(world.taken[fixture])}
    lost = {
        (finding.file, finding.resource.kind)
        for finding in raw.findings
        for place in [(finding.resource.kind, finding.resource.namespace, finding.resource.name)]
        # What it was judged by must be there as well.
        if finding.file in whole and (finding.file, place) in taken and finding.rule == finding.file.split("/")[0]
        if finding.rule not in {rule for rule, _ in world.expected(finding.file, _named(world, finding.file, place))}
        and finding.rule not in _ELSEWHERE
    }
    assert lost == set()
    assert len(whole) > 60


def test_kinds_are_called_as_the_api_server_calls_them(world: World) -> None:
    served = {
        Kind(version.rpartition("/")[0], kind): found for (version, kind), found in world.cluster.resources.items()
    }
    named = {kind for rule in world.rules.values() for kind in rule.kinds} & set(served)
    assert len(named) > 15
    assert {kind: (resource_of(kind), not is_cluster_wide(kind)) for kind in named} == {
        kind: served[kind] for kind in named
    }


def test_a_debug_container_is_judged_like_any_other(world: World, kubectl: Kubectl, catalog: dict[str, Any]) -> None:
    spec = {**catalog["spec"]["template"]["spec"], "automountServiceAccountToken": False}
    metadata = {"name": "debugged", "namespace": "shop", "labels": catalog["spec"]["template"]["metadata"]["labels"]}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "catalog", "uid": "1", "controller": True}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "ownerReferences": [owner]}, "spec": spec}
    world.cluster.must_create([pod])
    patch = {"spec": {"ephemeralContainers": [{"name": "shell", "image": "docker.io/library/busybox:1.37"}]}}
    with pytest.raises(ToolError, match=r"\[pinned-image\] Pod/debugged, container shell: image "):
        kubectl(
            "patch",
            "pod",
            "debugged",
            "--namespace=shop",
            "--subresource=ephemeralcontainers",
            f"--patch={json.dumps(patch)}",
        )


def test_what_a_controller_makes_of_something_judged_is_not_asked_about_again(
    world: World, kubectl: Kubectl, catalog: dict[str, Any]
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bare", "namespace": "shop"},
        "spec": {"containers": [{"name": "a", "image": "busybox"}]},
    }
    text = json.dumps(pod)
    with pytest.raises(ToolError, match="denied the request"):
        kubectl("create", "--dry-run=server", "--filename=-", stdin=text)
    controller = "system:serviceaccount:kube-system:replicaset-controller"
    assert "created" in kubectl("create", "--dry-run=server", f"--as={controller}", "--filename=-", stdin=text)


def test_while_gatekeeper_is_away_nothing_comes_into_our_namespaces(
    world: World, kubectl: Kubectl, catalog: dict[str, Any]
) -> None:
    world.cluster.stop()
    with pytest.raises(ToolError, match=r'failed calling webhook "validation\.gatekeeper\.sh"'):
        kubectl("apply", "--server-side", "--dry-run=server", "--filename=-", stdin=json.dumps(catalog))
    # The rest of the cluster goes on.
    kubectl("create", "configmap", "anything", "--namespace=kube-system")
    kubectl("create", "clusterrole", "anything", "--verb=get", "--resource=pods")


def _written(rules: Any) -> Iterator[tuple[str, list[Document]]]:
    """Failing cases by rule and name, each with namespaces and cluster-wide names of its own."""
    number = 0
    for rule in rules:
        failing = [case for case in load_cases([rule]) if case.verdict == "fail"]
        for case in failing[:_CASES]:
            name = f"{rule.id}/{case.name}"
            objects = [document.object for document in case.documents]
            own = {place for one in objects for place in _own_names(one) if place not in ("", "default", "kube-system")}
            names = {place: f"{place}-{number}" for place in own}
            yield name, [Document(name, index, _renamed(one, names)) for index, one in enumerate(objects)]
            number += 1


def _own_names(one: Object) -> Iterator[str]:
    metadata = one.get("metadata")
    if isinstance(metadata, Mapping):
        group = one["apiVersion"].rpartition("/")[0]
        place = metadata.get("name" if is_cluster_wide(Kind(group, one["kind"])) else "namespace")
        if isinstance(place, str):
            yield place


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {key: _renamed(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value, names) for value in node]
    return names.get(node, node) if isinstance(node, str) else node


def _manifests() -> list[Object]:
    """Gatekeeper and the namespaces as dev gets them, with a webhook for the fixtures' namespaces too."""
    objects = read_shop(open_tree(_ROOT)).objects("dev")
    found = [copy.deepcopy(dict(one)) for one in (*objects["cluster"], *objects["platform/gatekeeper"])]
    for one in found:
        if one["kind"] == "ValidatingWebhookConfiguration":
            (term,) = one["webhooks"][0]["namespaceSelector"]["matchExpressions"]
            term.update(operator="NotIn", values=["kube-system", "platform"])
            del one["webhooks"][1]["objectSelector"]
    kinds = {one["kind"] for one in objects["platform/gatekeeper"]} | {"Namespace"}
    return [
        one for one in found if one["kind"] in kinds and one["kind"] not in ("NetworkPolicy", "PodDisruptionBudget")
    ]


def _namespaces(objects: Sequence[Object]) -> list[Object]:
    stated = {one["metadata"]["name"]: one for one in objects if one["kind"] == "Namespace"}
    needed = {(one.get("metadata") or {}).get("namespace") for one in objects} - {None, "default", "kube-system"}
    plain = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in needed
        if isinstance(name, str) and name not in stated
    ]
    return [*stated.values(), *plain]


def _taken(cluster: Cluster, written: Mapping[str, Sequence[Document]]) -> dict[str, list[Object]]:
    """What of the fixtures is in the API server, each object as it keeps it."""
    live: dict[tuple[str, str, str], Object] = {}
    kinds = {
        (one.kind_key.partition("/")[0], one.object["kind"]) for documents in written.values() for one in documents
    }
    for group, kind in kinds:
        version = version_of(Kind(group, kind))
        api_version = f"{group}/{version}" if group else str(version)
        if (api_version, kind) in cluster.resources:
            for one in cluster.items(api_version, kind):
                live[_identity(one)] = one
    return {
        fixture: [live[place] for one in documents if (place := _identity(one.object)) in live]
        for fixture, documents in written.items()
    }


def _identity(one: Object) -> tuple[str, str, str]:
    metadata = one.get("metadata")
    found = metadata if isinstance(metadata, Mapping) else {}
    return one["kind"], str(found.get("namespace") or ""), str(found.get("name") or "")


def _named(world: World, fixture: str, place: tuple[str, str, str]) -> Object:
    return next(one for one in world.taken[fixture] if _identity(one) == place)


def _update(cluster: Cluster, one: Object) -> Answer:
    """Write the object as it is: Gatekeeper judges it as it would a new one."""
    return cluster.server.ask("PUT", f"{cluster.path(one)}/{one['metadata']['name']}?dryRun=All", one)


def _denied(answer: Answer) -> Iterator[Found]:
    """Rule and message of each line of a refusal."""
    _, denied, text = answer.message.partition(" denied the request: ")
    for line in text.splitlines() if denied else ():
        rule, _, message = line.removeprefix("[").partition("] ")
        yield rule, message
