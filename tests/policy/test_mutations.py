"""A good workload is broken in one place at a time: the rule that this concerns must fire, and no other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cartwright.policy.cases import load_cases
from cartwright.policy.engine import Evaluation
from cartwright.policy.model import POD_CARRYING, load_rules

pytestmark = pytest.mark.slow

_DIGEST = "sha256:" + "4c" * 32
_SPEC_PATHS = {
    "Pod": ["spec"],
    "CronJob": ["spec", "jobTemplate", "spec", "template", "spec"],
    **{
        kind: ["spec", "template", "spec"]
        for kind in ("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet")
    },
}
_VERSIONS = {kind.kind: f"{kind.group}/v1" if kind.group else "v1" for kind in POD_CARRYING}
_LISTS = ("initContainers", "containers", "ephemeralContainers")

Edit = Callable[[dict[str, Any]], None]


def _container(name: str) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/readyz", "port": "http"}}
    return {
        "name": name,
        "image": f"ghcr.io/example/cartwright/catalog:1.4.2@{_DIGEST}",
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"cpu": 1, "memory": "128Mi"},
        },
        "livenessProbe": dict(probe),
        "readinessProbe": dict(probe),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _workload(kind: str) -> dict[str, Any]:
    """An object of that kind which no rule has anything to say about."""
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [_container("migrate"), {**_container("proxy"), "restartPolicy": "Always"}],
        "containers": [_container("catalog"), _container("exporter")],
        "ephemeralContainers": [_container("debug")],
    }
    made: dict[str, Any] = {
        "apiVersion": _VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": "catalog", "namespace": "shop"},
    }
    *parents, last = _SPEC_PATHS[kind]
    at = made
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = spec
    return made


def _spec(workload: dict[str, Any]) -> dict[str, Any]:
    at = workload
    for key in _SPEC_PATHS[workload["kind"]]:
        at = at[key]
    return at


def _set(at: dict[str, Any], path: list[str], value: Any) -> None:
    """Set the value at the path; `_ABSENT` removes it."""
    for key in path[:-1]:
        at = at.setdefault(key, {})
    if value is _ABSENT:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = value


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()

# What manifests hold by mistake: nothing, and values of any other type.
_junk = st.sampled_from([_ABSENT, None, "", "true", 0, 1, -1, 2.5, [], [None], ["x"], {}, {"x": "y"}])
_not_true = _junk | st.just(False)
_not_false = _junk | st.just(True)
_not_quantity = _junk.filter(lambda value: value not in (1, 2.5)) | st.sampled_from(
    ["100MB", "1 Gi", "-1", "0", "0m", "1e", ".5.", "NaN"]
)
_name = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
_tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_host = st.builds("{}.example.net{}".format, _name, st.sampled_from(["", ":5000", ":443"]))
_capability = st.sampled_from(["CHOWN", "SYS_ADMIN", "NET_RAW", "ALL", "net_bind_service", "CAP_NET_BIND_SERVICE", ""])


def _in_container(path: list[str], value: Any) -> Edit:
    return lambda container: _set(container, path, value)


def _images() -> st.SearchStrategy[Any]:
    """Images of an allowed registry that are not pinned by tag and digest both."""
    name = _name.map(lambda name: f"ghcr.io/example/cartwright/{name}")
    return st.one_of(
        name,
        st.builds("{}:{}".format, name, _tag),
        st.builds("{}@{}".format, name, st.just(_DIGEST)),
    )


# A value that is given and means nothing harmless, whatever its type.
_given = _junk.filter(lambda value: value is not _ABSENT and value is not None)
_given_text = _given.filter(lambda value: value != "")
_given_true = st.just(True) | _given
_profile = st.just({"type": "Unconfined"}) | _given


def _edits(path: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Edit]:
    return values.map(lambda value: _in_container(path.split("."), value))


def _host_edits() -> st.SearchStrategy[Edit]:
    handlers = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"]
    return st.builds(
        lambda handler, action, host: _in_container([*handler.split("."), action, "host"], host),
        st.sampled_from(handlers),
        st.sampled_from(["httpGet", "tcpSocket"]),
        st.sampled_from(["127.0.0.1", "localhost", "example.net"]) | _given_text,
    )


# Those that a security context may say of the pod as well as of a container.
_SHARED_EDITS: dict[str, st.SearchStrategy[Edit]] = {
    "pss-apparmor": _edits("securityContext.appArmorProfile", _profile),
    "pss-run-as-user": _edits("securityContext.runAsUser", _given.filter(lambda value: value not in (1, -1, 2.5))),
    "pss-selinux": st.builds(
        lambda field, value: _in_container(["securityContext", "seLinuxOptions", field], value),
        st.sampled_from(["type", "user", "role"]),
        st.sampled_from(["spc_t", "system_u", "container_t "]) | _given_text,
    ),
    "pss-windows-host-process": _edits("securityContext.windowsOptions.hostProcess", _given_true),
}

_CONTAINER_EDITS: dict[str, st.SearchStrategy[Edit]] = {
    "pinned-image": _images().map(lambda image: _in_container(["image"], image)),
    "image-registry": st.builds("{}/{}:{}@{}".format, _host, _name, _tag, st.just(_DIGEST)).map(
        lambda image: _in_container(["image"], image)
    ),
    "read-only-root-filesystem": _not_true.map(
        lambda value: _in_container(["securityContext", "readOnlyRootFilesystem"], value)
    ),
    **_SHARED_EDITS,
    "pss-host-ports": _given.filter(lambda value: value != 0).map(
        lambda value: _in_container(["ports"], [{"containerPort": 8080}, {"containerPort": 8081, "hostPort": value}])
    ),
    "pss-host-probes": _host_edits(),
    "pss-privilege-escalation": _edits("securityContext.allowPrivilegeEscalation", _not_false),
    "pss-privileged": _edits("securityContext.privileged", _given_true),
    "pss-proc-mount": _edits("securityContext.procMount", st.just("Unmasked") | _given),
    "pss-capabilities-restricted": st.one_of(
        (_junk | st.lists(_capability.filter(lambda one: one != "ALL"), max_size=3)).map(
            lambda value: _in_container(["securityContext", "capabilities", "drop"], value)
        ),
        st.lists(_capability, min_size=1, max_size=3).map(
            lambda value: _in_container(["securityContext", "capabilities", "add"], value)
        ),
    ),
    "pss-run-as-non-root": _not_true.filter(lambda value: value is not _ABSENT and value is not None).map(
        lambda value: _in_container(["securityContext", "runAsNonRoot"], value)
    ),
}

_RESOURCE_EDITS = st.builds(
    lambda side, resource, value: _in_container(["resources", side, resource], value),
    st.sampled_from(["requests", "limits"]),
    st.sampled_from(["cpu", "memory"]),
    _not_quantity,
)
_PROBE_EDITS = st.builds(
    lambda probe, value: _in_container([probe], value),
    st.sampled_from(["livenessProbe", "readinessProbe"]),
    _junk | st.fixed_dictionaries({"periodSeconds": st.integers(1, 60)}) | st.just({"httpGet": None}),
)

_POD_EDITS: dict[str, st.SearchStrategy[Edit]] = {
    "automount-token": (_junk | st.just(True)).map(
        lambda value: _in_container(["automountServiceAccountToken"], value)
    ),
    "pss-run-as-non-root": _not_true.map(lambda value: _in_container(["securityContext", "runAsNonRoot"], value)),
    "pss-host-namespaces": st.builds(
        lambda field, value: _in_container([field], value),
        st.sampled_from(["hostNetwork", "hostPID", "hostIPC"]),
        _given_true,
    ),
    "pss-seccomp-restricted": _edits("securityContext.seccompProfile", _profile | st.sampled_from([_ABSENT, None])),
    "pss-sysctls": st.lists(_given | st.fixed_dictionaries({"name": st.text()}), min_size=1, max_size=3).map(
        lambda value: _in_container(["securityContext", "sysctls"], value)
    ),
    "pss-volume-types": st.sampled_from(["nfs", "rbd", "iscsi", "gitRepo", "hostPath"]).flatmap(
        lambda type_: _given.map(lambda value: _in_container(["volumes"], [{"name": "data", type_: value}]))
    ),
    **_SHARED_EDITS,
}

_BESIDE = {
    "pss-capabilities-restricted": {"pss-capabilities-baseline"},
    "pss-seccomp-restricted": {"pss-seccomp-baseline"},
    "pss-volume-types": {"pss-host-path"},
}
"""What may fire as well: restricted asks for all that baseline asks for, under other ids."""

_ASKED = sorted(
    {*_CONTAINER_EDITS, *_POD_EDITS, *set().union(*_BESIDE.values()), "require-requests-limits", "require-probes"}
)
"""Only the rules that an edit here concerns: others speak of what stands beside a workload."""


@st.composite
def _broken(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """The rule that must fire, and a workload that is broken in one place."""
    workload = _workload(draw(st.sampled_from(sorted(_SPEC_PATHS))))
    spec = _spec(workload)
    what = draw(st.sampled_from(["container", "resources", "probe", "pod"]))
    if what == "pod":
        rule = draw(st.sampled_from(sorted(_POD_EDITS)))
        draw(_POD_EDITS[rule])(spec)
        return rule, workload
    if what == "container":
        rule, lists = draw(st.sampled_from(sorted(_CONTAINER_EDITS))), _LISTS
        edit = draw(_CONTAINER_EDITS[rule])
    elif what == "resources":
        rule, lists = "require-requests-limits", ("initContainers", "containers")
        edit = draw(_RESOURCE_EDITS)
    else:
        rule, lists = "require-probes", ("containers",)
        edit = draw(_PROBE_EDITS)
        workload = _workload(draw(st.sampled_from(sorted(set(_SPEC_PATHS) - {"Job", "CronJob"}))))
        spec = _spec(workload)
    edit(draw(st.sampled_from(spec[draw(st.sampled_from(lists))])))
    return rule, workload


# A batch is one conftest process, and the message shows the one workload: to shrink a batch would only cost time.
_in_batches = settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def _fired(evaluation: Evaluation, number: int) -> set[str]:
    return {finding.rule for finding in evaluation.findings if finding.file == str(number)}


@pytest.mark.parametrize("kind", sorted(_SPEC_PATHS))
def test_the_good_workload_is_good(kind: str, judge: Callable[..., Evaluation]) -> None:
    assert judge([_workload(kind)], only=_ASKED).findings == ()


def test_every_control_of_the_pod_security_standards_is_broken_somewhere(policies: Path) -> None:
    assert {rule for rule in _ASKED if rule.startswith("pss-")} == {
        folder.name for folder in policies.glob("rules/pss-*")
    }


@_in_batches
@given(st.lists(_broken(), min_size=60, max_size=60))
def test_a_broken_field_fires_its_rule_and_no_other(
    judge: Callable[..., Evaluation], broken: list[tuple[str, dict[str, Any]]]
) -> None:
    evaluation = judge([workload for _, workload in broken], isolate=True, only=_ASKED)
    for number, (rule, workload) in enumerate(broken):
        assert (_fired(evaluation, number) - _BESIDE.get(rule, set()), workload) == ({rule}, workload)


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value inside an object, except what makes it an object of its kind."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if (*at, key) not in {("apiVersion",), ("kind",)}:
            yield (*at, key)
            yield from _paths(inner, (*at, key))


@cache
def _judged() -> list[dict[str, Any]]:
    """An object of each kind that any rule is about, as the cases have them."""
    cases = load_cases(load_rules(Path(__file__).parents[2] / "policies"))
    passing = [dict(one.object) for case in cases if case.verdict == "pass" for one in case.documents]
    return [*(_workload(kind) for kind in sorted(_SPEC_PATHS)), *passing]


@st.composite
def _mangled(draw: st.DrawFn) -> dict[str, Any]:
    """An object with one value, anywhere, replaced by one of another type."""
    made = draw(st.sampled_from(_judged()))
    mangled = copy.deepcopy(made)
    *parents, last = draw(st.sampled_from(list(_paths(mangled))))
    at = mangled
    for key in parents:
        at = at[key]
    at[last] = draw(_junk.filter(lambda value: value is not _ABSENT) | st.just(True))
    return mangled


@_in_batches
@given(st.lists(_mangled(), min_size=60, max_size=60))
def test_a_malformed_object_stops_neither_a_rule_nor_the_judging_of_the_others(
    judge: Callable[..., Evaluation], mangled: list[dict[str, Any]]
) -> None:
    """An error in a built-in function would end the run, see the engine; a sentinel among them must still be found."""
    sentinel = _workload("Deployment")
    sentinel["metadata"] = {"name": "sentinel", "namespace": "elsewhere"}
    _spec(sentinel)["containers"][0]["image"] = "unpinned"
    evaluation = judge([*mangled, sentinel], only=None)
    assert evaluation.objects == len(mangled) + 1
    assert "pinned-image" in _fired(evaluation, len(mangled))
