"""The Pod Security Standards as kube-apiserver's own admission reads them, against the rules: thousands of generated
pods, each control's verdict compared.

What the API server's validation refuses does not reach its admission: there is nothing to compare. A level contains the
controls below under their own ids, while the API server leaves those out that a stricter one says again; for these its
verdict at baseline counts at restricted as well.

`CARTWRIGHT_PSS_PODS` sets the number of pods, `CARTWRIGHT_PSS_SEED` another seed than 0.
"""

from __future__ import annotations

import collections
import copy
import http
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from cartwright.policy.documents import Document
from cartwright.policy.engine import Evaluation, evaluate_documents
from tests.policy.admission import LEVEL_LABEL, Answer, ApiServer, running_apiserver
from tests.policy.pod_strategies import Pod, edge_pods, pods

pytestmark = pytest.mark.cluster

Judge = Callable[..., Evaluation]

_PODS = int(os.environ.get("CARTWRIGHT_PSS_PODS", "2000"))
_SEED = int(os.environ.get("CARTWRIGHT_PSS_SEED", "0"))
_LEVELS = ("baseline", "restricted")

_CONTROLS = {
    "allowPrivilegeEscalation != false": "pss-privilege-escalation",
    "forbidden AppArmor profile": "pss-apparmor",
    "forbidden AppArmor profiles": "pss-apparmor",
    "forbidden sysctls": "pss-sysctls",
    "host namespaces": "pss-host-namespaces",
    "hostPath volumes": "pss-host-path",
    "hostPort": "pss-host-ports",
    "hostProcess": "pss-windows-host-process",
    "non-default capabilities": "pss-capabilities-baseline",
    "privileged": "pss-privileged",
    "probe or lifecycle host": "pss-host-probes",
    "procMount": "pss-proc-mount",
    "restricted volume types": "pss-volume-types",
    "runAsNonRoot != true": "pss-run-as-non-root",
    "runAsUser=0": "pss-run-as-user",
    "seLinuxOptions": "pss-selinux",
    "unrestricted capabilities": "pss-capabilities-restricted",
}
"""What the admission's message calls a control. It calls both about seccomp alike: there the level decides."""
_SAID_AGAIN = frozenset({"pss-capabilities-baseline", "pss-host-path", "pss-seccomp-baseline"})
"""Controls of baseline that the API server leaves out at restricted, for another one there contains them."""

_RESTRICTED_ONLY = {
    "pss-capabilities-restricted",
    "pss-privilege-escalation",
    "pss-run-as-non-root",
    "pss-run-as-user",
    "pss-seccomp-restricted",
    "pss-volume-types",
}
"""Controls that baseline does not have."""

_WRAPPED = {
    "CronJob": ("batch/v1", "cronjobs"),
    "DaemonSet": ("apps/v1", "daemonsets"),
    "Deployment": ("apps/v1", "deployments"),
    "Job": ("batch/v1", "jobs"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "ReplicationController": ("v1", "replicationcontrollers"),
    "StatefulSet": ("apps/v1", "statefulsets"),
}
_LABELS = {"app": "shop"}


@dataclass(frozen=True)
class Case:
    """An object with what the API server says of it."""

    resource: Mapping[str, Any]
    expected: Mapping[str, frozenset[str]]
    """Rules that must fire, by level."""


@dataclass(frozen=True)
class Survey:
    """All answers of the API server."""

    cases: tuple[Case, ...]
    invalid: tuple[str, ...]
    """Why validation refused the rest."""
    seconds: float
    """How long asking took."""


def _generate(count: int) -> list[Pod]:
    """Pods, the same ones for the same seed and sources: every edge by itself, then combinations.

    Nothing is asserted while Hypothesis makes them: they are judged in one batch.
    """
    made = list(edge_pods())

    @seed(_SEED)
    @settings(
        max_examples=max(1, count - len(made)),
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(pods())
    def collect(pod: Pod) -> None:
        made.append(copy.deepcopy(pod))

    collect()
    return made


def _wrap(kind: str, pod: Pod) -> dict[str, Any]:
    """The pod as the template of another kind."""
    version, _ = _WRAPPED[kind]
    spec = copy.deepcopy(pod["spec"])
    if kind in ("Job", "CronJob"):
        spec["restartPolicy"] = "Never"
    template = {"metadata": {**pod["metadata"], "labels": _LABELS}, "spec": spec}
    wrapped: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        wrapped = {"schedule": "0 3 * * *", "jobTemplate": {"spec": wrapped}}
    elif kind == "ReplicationController":
        wrapped["selector"] = _LABELS
    elif kind != "Job":
        wrapped["selector"] = {"matchLabels": _LABELS}
    return {"apiVersion": version, "kind": kind, "metadata": dict(pod["metadata"]), "spec": wrapped}


def _collection(resource: Mapping[str, Any], namespace: str) -> str:
    version, plural = _WRAPPED.get(resource["kind"], ("v1", "pods"))
    return f"/{'api' if version == 'v1' else 'apis'}/{version}/namespaces/{namespace}/{plural}"


def _violations(message: str) -> list[str]:
    """The controls that a message of the admission names, before their details in parentheses."""
    found = re.search(r'violate(?:s)? PodSecurity "[a-z]+:latest": (.*)', message, re.DOTALL)
    if found is None:
        return []
    depth, plain = 0, ""
    for character in found[1]:
        depth -= character == ")"
        plain += character if depth == 0 and character not in "()" else ""
        depth += character == "("
    assert depth == 0, f"cut off: {message}"
    return [one.strip() for one in plain.split(",")]


def _rules(message: str, level: str) -> frozenset[str]:
    named = {**_CONTROLS, "seccompProfile": f"pss-seccomp-{level}"}
    return frozenset(named[control] for control in _violations(message))


def _verdict(answers: Sequence[Answer], read: Callable[[Answer], str | None]) -> dict[str, frozenset[str]] | None:
    """The rules that must fire at each level; None where the API server refused the object itself."""
    messages = [read(answer) for answer in answers]
    if any(message is None for message in messages):
        return None
    baseline, restricted = (_rules(str(text), level) for text, level in zip(messages, _LEVELS, strict=True))
    return {"baseline": baseline, "restricted": restricted | (baseline & _SAID_AGAIN)}


def _enforced(answer: Answer) -> str | None:
    """The admission's refusal, empty where it admits; None where something else refused."""
    if answer.status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        return ""
    return answer.message if answer.status == http.HTTPStatus.FORBIDDEN and _violations(answer.message) else None


def _warned(answer: Answer) -> str | None:
    """The admission's warning on a template: it refuses only pods themselves."""
    if answer.status != http.HTTPStatus.CREATED:
        return None
    return next((one for one in answer.warnings if "would violate PodSecurity" in one), "")


class _Questions:
    """Asks one API server about objects; each question is a dry run at both levels."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        for level in _LEVELS:
            server.create_namespace(f"enforce-{level}", {f"{LEVEL_LABEL}enforce": level})
            server.create_namespace(f"warn-{level}", {f"{LEVEL_LABEL}warn": level})
        server.create_namespace("changing", {})
        for level in _LEVELS:
            self._await(f"enforce-{level}", level)

    def survey(self, made: Sequence[Pod]) -> Survey:
        began = time.monotonic()
        whole = [pod for pod in made if "ephemeralContainers" not in pod["spec"]]
        kinds = sorted(_WRAPPED)
        wrapped = [_wrap(kinds[number % len(kinds)], pod) for number, pod in enumerate(whole[::3])]
        asked: list[tuple[Mapping[str, Any], dict[str, frozenset[str]] | None, str]] = [
            *self._asked(whole, "enforce", _enforced),
            *self._asked(wrapped, "warn", _warned),
            *self._extended([pod for pod in made if "ephemeralContainers" in pod["spec"]]),
        ]
        return Survey(
            cases=tuple(Case(resource, verdict) for resource, verdict, _ in asked if verdict is not None),
            invalid=tuple(why for _, verdict, why in asked if verdict is None),
            seconds=time.monotonic() - began,
        )

    def _asked(
        self, resources: Sequence[Mapping[str, Any]], mode: str, read: Callable[[Answer], str | None]
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, frozenset[str]] | None, str]]:
        answers = self._server.map(partial(self._create, mode=mode), resources)
        for resource, both in zip(resources, answers, strict=True):
            yield resource, _verdict(both, read), both[0].message

    def _create(self, resource: Mapping[str, Any], *, mode: str) -> list[Answer]:
        named = {**resource, "metadata": {**resource["metadata"], "name": "shop"}}
        return [
            self._server.ask("POST", f"{_collection(resource, f'{mode}-{level}')}?dryRun=All", named)
            for level in _LEVELS
        ]

    def _extended(
        self, made: Sequence[Pod]
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, frozenset[str]] | None, str]]:
        """Pods with ephemeral containers: these can only be added to a pod that is there.

        The pods are stored while their namespace allows everything, and extended when it enforces a level: the
        admission then judges the pod as a whole.
        """
        pods_path = "/api/v1/namespaces/changing/pods"

        def store(numbered: tuple[int, Pod]) -> Answer:
            number, pod = numbered
            spec = {key: value for key, value in pod["spec"].items() if key != "ephemeralContainers"}
            return self._server.ask(
                "POST", pods_path, {**pod, "metadata": {**pod["metadata"], "name": f"p{number}"}, "spec": spec}
            )

        def extend(number: int) -> Answer:
            pod = {**made[number], "metadata": {**made[number]["metadata"], "name": f"p{number}"}}
            return self._server.ask("PUT", f"{pods_path}/p{number}/ephemeralcontainers?dryRun=All", pod)

        stored = self._server.map(store, enumerate(made))
        there = [number for number, answer in enumerate(stored) if answer.status == http.HTTPStatus.CREATED]
        answers: dict[int, list[Answer]] = collections.defaultdict(list)
        for level in _LEVELS:
            self._server.enforce("changing", level)
            self._await("changing", level)
            for number, answer in zip(there, self._server.map(extend, there), strict=True):
                answers[number].append(answer)
        for number, pod in enumerate(made):
            both = answers.get(number)
            yield (
                pod,
                _verdict(both, _enforced) if both else None,
                both[0].message if both else stored[number].message,
            )

    def _await(self, namespace: str, level: str) -> None:
        """Until the admission has seen the namespace's label: a pod that every level refuses says so."""
        container = {"name": "app", "image": "app", "securityContext": {"privileged": True}}
        probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [container]}}
        deadline = time.monotonic() + 30
        path = f"{_collection(probe, namespace)}?dryRun=All"
        named = {**probe, "metadata": {"name": "probe"}}
        while f'"{level}:latest"' not in (message := self._server.ask("POST", path, named).message):
            assert time.monotonic() < deadline, message
            time.sleep(0.05)


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survey]:
    """The API server's verdicts on the generated pods; it has ended when the tests begin."""
    made = _generate(_PODS)
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        found = _Questions(server).survey(made)
    yield found


def _disagreements(
    survey: Survey, policies: Path, conftest: Path, rules: Sequence[str]
) -> Iterator[tuple[str, str, bool, Mapping[str, Any]]]:
    """Rule, level, whether the API server objects, and the object, wherever a rule says otherwise.

    Every object stands in two namespaces, whose labels decide the level; conftest judges them all in one run.
    """
    documents = []
    for level in _LEVELS:
        labels = {f"{LEVEL_LABEL}enforce": level}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": level, "labels": labels}}
        documents.append(Document(path=level, index=0, object=namespace))
        for number, case in enumerate(survey.cases):
            metadata = {**case.resource["metadata"], "name": f"p{number}", "namespace": level}
            documents.append(
                Document(path=f"{level}/{number}", index=0, object={**case.resource, "metadata": metadata})
            )
    evaluation = evaluate_documents(documents, {}, conftest, policies=policies, only=rules)
    assert evaluation.objects == len(documents)
    fired = collections.defaultdict(set)
    for finding in evaluation.findings:
        assert finding.severity == "error"
        fired[finding.file].add(finding.rule)
    for level in _LEVELS:
        for number, case in enumerate(survey.cases):
            expected = case.expected[level].intersection(rules)
            for rule in sorted(expected ^ fired[f"{level}/{number}"]):
                yield rule, level, rule in expected, case.resource


def _controls(policies: Path) -> list[str]:
    return sorted(folder.name for folder in policies.glob("rules/pss-*"))


def test_the_rules_and_the_api_server_agree_on_every_pod_and_every_control(
    survey: Survey, policies: Path, conftest_binary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    differences = list(_disagreements(survey, policies, conftest_binary, _controls(policies)))
    kinds = collections.Counter(case.resource["kind"] for case in survey.cases)
    ephemeral = sum("ephemeralContainers" in case.resource["spec"] for case in survey.cases)
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what this test is asked for
            f"\n{len(survey.cases)} objects tried at 2 levels ({kinds['Pod']} pods, {ephemeral} of them with ephemeral "
            f"containers; {kinds.total() - kinds['Pod']} templates of {len(kinds) - 1} kinds), "
            f"{len(survey.invalid)} refused by validation, {len(differences)} disagreements; "
            f"{survey.seconds:.0f} s to ask, {time.monotonic() - began:.0f} s to judge; seed {_SEED}"
        )
    assert differences == []
    assert set(kinds) == {"Pod", *_WRAPPED}
    assert len(survey.invalid) < len(survey.cases) / 10, collections.Counter(survey.invalid).most_common(5)


@pytest.mark.parametrize("level", _LEVELS)
def test_every_control_was_seen_to_admit_and_to_refuse(survey: Survey, policies: Path, level: str) -> None:
    refused = collections.Counter(rule for case in survey.cases for rule in case.expected[level])
    of_level = {rule for rule in _controls(policies) if level == "restricted" or rule not in _RESTRICTED_ONLY}
    # Validation lets procMount differ from Default only where baseline does not mind.
    assert {rule for rule in of_level if not 0 < refused[rule] < len(survey.cases)} == (
        {"pss-proc-mount"} if level == "baseline" else set()
    )


_MISTAKES = {
    "pss-apparmor": ('"runtime/default"}', '"runtime/default", "unconfined"}'),
    "pss-capabilities-baseline": ('\t"SETPCAP",\n', '\t"SETPCAP",\n\t"SYS_PTRACE",\n'),
    "pss-capabilities-restricted": ('capability != "NET_BIND_SERVICE"', 'lower(capability) != "net_bind_service"'),
    "pss-host-namespaces": ('"hostIPC", ', ""),
    "pss-host-path": ("volume.hostPath != null", "volume.hostPath"),
    "pss-host-ports": ('input.review.object.kind == "Pod"', 'input.review.object.kind == "None"'),
    "pss-host-probes": ('["lifecycle", "postStart"],', ""),
    "pss-privilege-escalation": ("not workload.is_windows(input.review.object)", "true"),
    "pss-privileged": ("{null, false}", "{null, false, true}"),
    "pss-proc-mount": ('_binds if pss.binds("restricted", input.review.object, input.parameters)\n', ""),
    "pss-run-as-non-root": ("not pss.has_user_namespace(_pod_spec)", "true"),
    "pss-run-as-user": ("not pss.has_user_namespace(workload.pod_spec(input.review.object))", "true"),
    "pss-seccomp-baseline": ("not pss.confines", "setting.container == null\n\tnot pss.confines"),
    "pss-seccomp-restricted": ("not _the_pod_has_one", "false"),
    "pss-selinux": ('"container_engine_t", ', ""),
    "pss-sysctls": ('\t"net.ipv4.tcp_wmem",\n', ""),
    "pss-volume-types": ('\t"nfs",\n', ""),
    "pss-windows-host-process": ("{null, false}", "{null, false, true}"),
}
"""One mistake for each control, small as a person makes them: what stands in the rule, and what instead."""


def test_a_mistake_in_any_control_is_noticed(
    survey: Survey, policies: Path, conftest_binary: Path, tmp_path: Path
) -> None:
    assert sorted(_MISTAKES) == _controls(policies)
    copied = Path(shutil.copytree(policies, tmp_path / "policies"))
    for rule, (right, wrong) in _MISTAKES.items():
        file = copied / "rules" / rule / "rule.rego"
        text = file.read_text(encoding="utf-8")
        assert right in text, f"{rule}: has no {right!r}"
        file.write_text(text.replace(right, wrong), encoding="utf-8")
    noticed = {rule for rule, *_ in _disagreements(survey, copied, conftest_binary, sorted(_MISTAKES))}
    assert sorted(noticed) == sorted(_MISTAKES)
