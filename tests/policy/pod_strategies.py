"""Pods around the edges of every field that the Pod Security Standards speak of: inside, at and outside of what is
allowed, absent, null and empty; in all three lists of containers, on Windows, in user namespaces.

Most are such that the API server's own validation lets them pass: what that refuses never reaches admission.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

Pod = dict[str, Any]

_ABSENT: Any = object()
_FLAGS = (True, False, None, _ABSENT)
_PROFILES = (
    None,
    {"type": "RuntimeDefault"},
    {"type": "RuntimeDefault", "localhostProfile": None},
    {"type": "Localhost", "localhostProfile": "shop"},
    {"type": "Unconfined"},
    _ABSENT,
)
_SELINUX = (
    None,
    {},
    {"type": ""},
    {"type": None, "user": None, "role": None},
    {"type": "container_t"},
    {"type": "container_init_t", "level": "s0:c1"},
    {"type": "container_kvm_t"},
    {"type": "container_engine_t"},
    {"type": "container_engine"},
    {"type": "Container_t"},
    {"type": "spc_t"},
    {"user": "", "role": ""},
    {"user": "system_u"},
    {"role": "system_r"},
    {"level": "s0"},
    _ABSENT,
)
_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    # Outside of what baseline allows, and what only looks as if it were inside.
    "ALL",
    "AUDIT_CONTROL",
    "BPF",
    "CAP_CHOWN",
    "CAP_NET_BIND_SERVICE",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_ADMIN",
    "SYS_PTRACE",
    "chown",
    "net_bind_service",
    "",
)
_DROPS = (None, [], ["ALL"], ["ALL"], ["ALL", "KILL"], ["KILL", "ALL"], ["all"], ["CAP_ALL"], ["KILL"], _ABSENT)
_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
    "kernel.msgmax",
    "kernel.shm_rmid_force",
    "net.core.somaxconn",
    "net.ipv4.tcp_mem",
    "net/ipv4/tcp_rmem",
    "vm.swappiness",
)
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_SOURCES = {
    "configMap": {"name": "shop"},
    "csi": {"driver": "csi.example.org"},
    "downwardAPI": {},
    "emptyDir": {},
    "ephemeral": {"volumeClaimTemplate": {"spec": _CLAIM}},
    "image": {"reference": "registry.example.org/model:1"},
    "persistentVolumeClaim": {"claimName": "shop"},
    "projected": {"sources": []},
    "secret": {"secretName": "shop"},
    "awsElasticBlockStore": {"volumeID": "vol-1"},
    "azureDisk": {"diskName": "shop", "diskURI": "https://blob.example.org/shop"},
    "azureFile": {"secretName": "shop", "shareName": "shop"},
    "cephfs": {"monitors": ["ceph.example.org"]},
    "cinder": {"volumeID": "vol-1"},
    "fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0},
    "flexVolume": {"driver": "example.org/lvm"},
    "flocker": {"datasetName": "shop"},
    "gcePersistentDisk": {"pdName": "shop"},
    "gitRepo": {"repository": "https://git.example.org/shop"},
    "glusterfs": {"endpoints": "shop", "path": "shop"},
    "hostPath": {"path": "/data"},
    "iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.org.example:shop", "lun": 0},
    "nfs": {"server": "nfs.example.org", "path": "/data"},
    "photonPersistentDisk": {"pdID": "shop"},
    "portworxVolume": {"volumeID": "vol-1"},
    "quobyte": {"registry": "quobyte.example.org:7861", "volume": "shop"},
    "rbd": {"monitors": ["ceph.example.org"], "image": "shop"},
    "scaleIO": {"gateway": "https://s.example.org", "system": "s", "volumeName": "shop", "secretRef": {"name": "shop"}},
    "storageos": {"volumeName": "shop"},
    "vsphereVolume": {"volumePath": "[shop] shop.vmdk"},
}
"""An example of every type of volume, which the API server's validation accepts."""
_VOLUMES = (
    *({name: source} for name, source in _SOURCES.items()),
    # Without a source: the API server makes it an emptyDir.
    {},
    {"emptyDir": None},
    {"hostPath": None},
    {"hostPath": None, "configMap": {"name": "shop"}},
    {"emptyDir": None, "nfs": _SOURCES["nfs"]},
)
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_ANNOTATIONS = (
    {},
    {_APPARMOR + "app": "runtime/default"},
    {_APPARMOR + "app": "localhost/shop"},
    {_APPARMOR + "app": "unconfined"},
    {_APPARMOR + "app": ""},
    {_APPARMOR + "app": None},
    {_APPARMOR + "init": "unconfined"},
    # Spoken for by another field since 1.27: they mean nothing any more.
    {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"},
    {"container.seccomp.security.alpha.kubernetes.io/app": "unconfined"},
)
_HOSTS = (_ABSENT, None, "", "127.0.0.1", "localhost", "example.org", "10.0.0.1")
_USERS = (0, 1, 65532, 2**31 - 1, None, _ABSENT)


def _put(at: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path; ``_ABSENT`` removes what is there."""
    *parents, last = path.split(".")
    for key in parents:
        if not isinstance(at.get(key), dict):
            at[key] = {}
        at = at[key]
    if value is _ABSENT:
        at.pop(last, None)
    else:
        at[last] = copy.deepcopy(value)  # examples are shared by all pods, and edited further here


_CONTAINER_VALUES: dict[str, tuple[Any, ...]] = {
    "securityContext": (None, {}, _ABSENT),
    "securityContext.allowPrivilegeEscalation": _FLAGS,
    "securityContext.appArmorProfile": _PROFILES,
    "securityContext.capabilities": (
        None,
        {},
        _ABSENT,
        {"drop": ["ALL"], "add": None},
        {"drop": ["ALL"], "add": []},
        *({} if drop is _ABSENT else {"drop": drop} for drop in _DROPS),
        *({"drop": ["ALL"], "add": [capability]} for capability in _CAPABILITIES),
    ),
    "securityContext.privileged": _FLAGS,
    "securityContext.procMount": ("Default", "Unmasked", None, _ABSENT),
    "securityContext.runAsNonRoot": _FLAGS,
    "securityContext.runAsUser": _USERS,
    "securityContext.seLinuxOptions": _SELINUX,
    "securityContext.seccompProfile": _PROFILES,
}
_HANDLERS = (
    None,
    {"exec": {"command": ["true"]}},
    *(
        {action: {"port": 8080} if host is _ABSENT else {"port": 8080, "host": host}}
        for action in ("httpGet", "tcpSocket")
        for host in _HOSTS
    ),
)
_RUNNING_VALUES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"), _HANDLERS
    ),
    "ports": (
        None,
        [],
        [{"containerPort": 8080}],
        *([{"containerPort": 8080, "hostPort": port}] for port in (None, 0, 8080)),
    ),
}
"""Fields of the containers that run beside each other: validation refuses them elsewhere."""
_POD_VALUES: dict[str, tuple[Any, ...]] = {
    "hostIPC": _FLAGS,
    "hostNetwork": _FLAGS,
    "hostPID": _FLAGS,
    "hostUsers": _FLAGS,
    "os": (None, {"name": "linux"}),
    "securityContext": (None, {}, _ABSENT),
    "securityContext.appArmorProfile": _PROFILES,
    "securityContext.runAsNonRoot": _FLAGS,
    "securityContext.runAsUser": _USERS,
    "securityContext.seLinuxOptions": _SELINUX,
    "securityContext.seccompProfile": _PROFILES,
    "securityContext.sysctls": (None, [], *([{"name": name, "value": "1"}] for name in _SYSCTLS)),
    "volumes": (None, [], *([{"name": "data", **source}] for source in _VOLUMES)),
}
_USER_FIELDS = ("securityContext.runAsNonRoot", "securityContext.runAsUser")
_WINDOWS_POD_FIELDS = ("hostNetwork", "securityContext", "securityContext.runAsNonRoot", "volumes")
_WINDOWS_FIELDS = ("securityContext", "securityContext.runAsNonRoot")
_WINDOWS_OPTIONS = (None, {}, {"hostProcess": None}, {"hostProcess": False}, {"hostProcess": True})


def edge_pods() -> Iterator[Pod]:
    """Every value of every field once in every place where it may stand, alone in a pod that restricted admits."""
    names = ("app", "init", "sidecar", "debug")
    for annotation in _ANNOTATIONS:
        spec = _spec(names[:2])
        del spec["securityContext"]["seccompProfile"]
        yield _pod(spec, annotation)
    yield from _edges(_spec, _POD_VALUES, _CONTAINER_VALUES, _RUNNING_VALUES)
    users = _only(_POD_VALUES, _USER_FIELDS), _only(_CONTAINER_VALUES, (*_USER_FIELDS, "securityContext.procMount"))
    yield from _edges(partial(_spec, fields={"hostUsers": False}), *users)
    ports = _only(_RUNNING_VALUES, ("ports",))
    yield from _edges(partial(_spec, fields={"hostNetwork": True}), {}, {}, ports)
    windows_fields = _only(_POD_VALUES, _WINDOWS_POD_FIELDS), _only(_CONTAINER_VALUES, _WINDOWS_FIELDS)
    yield from _edges(partial(_spec, windows=True), *windows_fields)
    for windows in (True, False):
        for options in _WINDOWS_OPTIONS:
            for everywhere in (True, False):
                spec = _spec(names[:3], windows=windows)
                _set_windows_options(spec, options, everywhere=everywhere)
                yield _pod(spec)


def _edges(
    make: Callable[[Sequence[str]], dict[str, Any]],
    pod_values: Mapping[str, Sequence[Any]],
    container_values: Mapping[str, Sequence[Any]],
    running_values: Mapping[str, Sequence[Any]] = MappingProxyType({}),
) -> Iterator[Pod]:
    for path, values in pod_values.items():
        for value in values:
            spec = make(("app",))
            _put(spec, path, value)
            yield _pod(spec)
    for name in ("app", "init", "sidecar", "debug"):
        runs = running_values if name in ("app", "sidecar") else {}
        for path, values in (*container_values.items(), *runs.items()):
            for value in values:
                spec = make(("app",) if name == "app" else ("app", name))
                _put(spec[_list_of(name)][0], path, value)
                yield _pod(spec)


def _spec(
    names: Sequence[str],
    *,
    sound: bool = True,
    windows: bool = False,
    fields: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """A pod's spec with these fields: what restricted admits, or one that says nothing."""
    spec: dict[str, Any] = {**({"os": {"name": "windows"}} if windows else {}), **fields}
    context: dict[str, Any] = {}
    if sound:
        spec["securityContext"] = {"runAsNonRoot": True}
    if sound and not windows:
        spec["securityContext"]["seccompProfile"] = {"type": "RuntimeDefault"}
        context = {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
    for name in names:
        container = {"name": name, "image": "registry.example.org/shop:1", **copy.deepcopy(context)}
        if name == "sidecar":
            container["restartPolicy"] = "Always"
        spec.setdefault(_list_of(name), []).append(container)
    return spec


def _list_of(name: str) -> str:
    if name.startswith("app"):
        return "containers"
    return "ephemeralContainers" if name == "debug" else "initContainers"


def _pod(spec: dict[str, Any], annotations: Mapping[str, Any] | None = None) -> Pod:
    _repair(spec)
    kept = {key: value for key, value in (annotations or {}).items() if _may_stand(key, spec)}
    metadata = {"annotations": kept} if kept else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _may_stand(annotation: str, spec: dict[str, Any]) -> bool:
    """Whether validation lets an annotation stand: its container is there, and no field says else."""
    named = [one for one in _all_containers(spec) if annotation.endswith(f"/{one['name']}")]
    field = "appArmorProfile" if annotation.startswith(_APPARMOR) else "seccompProfile"
    contexts = [one.get("securityContext") for one in (spec, *named)]
    return (bool(named) or not annotation.startswith(_APPARMOR)) and not any(
        context.get(field) for context in contexts if context
    )


_SHARE = 16


def _edits(values: Mapping[str, tuple[Any, ...]]) -> st.SearchStrategy[tuple[str, Any]]:
    """A field and its value in one draw. Fields of few values come nearly as often as those of many."""
    return st.sampled_from(
        [(path, value) for path, examples in values.items() for value in examples * max(1, _SHARE // len(examples))]
    )


def _only(values: Mapping[str, tuple[Any, ...]], fields: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    return {path: values[path] for path in fields}


_capabilities = st.fixed_dictionaries(
    {
        "drop": st.sampled_from([drop for drop in _DROPS if drop is not _ABSENT]),
        "add": st.lists(st.sampled_from(_CAPABILITIES), min_size=1, max_size=4),
    }
)
_volumes = st.lists(st.sampled_from(_VOLUMES), min_size=2, max_size=4).map(
    lambda sources: [{"name": f"v{index}", **source} for index, source in enumerate(sources)]
)
_sysctls = st.lists(st.sampled_from(_SYSCTLS), min_size=2, max_size=4, unique=True).map(
    lambda names: [{"name": name, "value": "1"} for name in names]
)
_container_edits = st.lists(
    _edits(_CONTAINER_VALUES) | st.tuples(st.just("securityContext.capabilities"), _capabilities), max_size=5
)
_running_edits = st.lists(_edits(_RUNNING_VALUES), max_size=2)
_windows_edits = st.lists(_edits(_only(_CONTAINER_VALUES, _WINDOWS_FIELDS)), max_size=2)
_pod_edits = st.lists(
    _edits(_POD_VALUES)
    | st.tuples(st.just("securityContext.sysctls"), _sysctls)
    | st.tuples(st.just("volumes"), _volumes),
    max_size=5,
)
_windows_pod_edits = st.lists(_edits(_only(_POD_VALUES, _WINDOWS_POD_FIELDS)), max_size=3)
_names = st.sampled_from(
    [
        ("app",),
        ("app", "app2"),
        ("app", "init"),
        ("app", "sidecar"),
        ("app", "init", "sidecar"),
        ("app", "debug"),
        ("app", "app2", "sidecar", "debug"),
    ]
)


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    """A Pod without a name whose fields are combined at random. Its containers are called ``app``, ``app2``, ``init``,
    ``sidecar`` and ``debug``."""
    windows = draw(st.sampled_from([False] * 7 + [True]))
    names = draw(_names)
    spec = _spec(names, sound=draw(st.booleans()), windows=windows)
    for container in _all_containers(spec):
        edits = draw(_windows_edits if windows else _container_edits)
        if container["name"] not in ("init", "debug"):
            edits += draw(_running_edits)
        for path, value in edits:
            _put(container, path, value)
    for path, value in draw(_windows_pod_edits if windows else _pod_edits):
        _put(spec, path, value)
    if windows or draw(st.sampled_from([False] * 9 + [True])):
        _set_windows_options(spec, draw(st.sampled_from(_WINDOWS_OPTIONS)), everywhere=draw(st.booleans()))
    return _pod(spec, draw(st.sampled_from([{}, *_ANNOTATIONS])))


def _set_windows_options(spec: dict[str, Any], options: Any, *, everywhere: bool) -> None:
    """For the pod, or for all of its containers: validation wants HostProcess of all or of none."""
    if options == {"hostProcess": True}:
        spec["hostNetwork"] = True
    if spec.get("os") == {"name": "linux"}:
        del spec["os"]
    for at in _all_containers(spec) if everywhere else [spec]:
        _put(at, "securityContext.windowsOptions", options)


def _all_containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for name in ("initContainers", "containers", "ephemeralContainers") for one in spec.get(name) or ()]


def _repair(spec: dict[str, Any]) -> None:
    """Take back what validation refuses, so that the pod reaches admission."""
    containers = _all_containers(spec)
    contexts = [one["securityContext"] for one in containers if isinstance(one.get("securityContext"), dict)]
    for context in contexts:
        if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
            context["allowPrivilegeEscalation"] = True
    if any(context.get("procMount") == "Unmasked" for context in contexts):
        spec["hostUsers"] = False
    if spec.get("hostUsers") is False:
        _leave_the_host(spec, [*contexts, spec.get("securityContext") or {}])
    _settle_ports(containers, host_network=bool(spec.get("hostNetwork")))
    context = spec.get("securityContext") or {}
    shared = [prefix for field, prefix in (("hostNetwork", "net"), ("hostIPC", "kernel")) if spec.get(field)]
    if context.get("sysctls") and shared:
        context["sysctls"] = [one for one in context["sysctls"] if not one["name"].startswith(tuple(shared))]


def _leave_the_host(spec: dict[str, Any], contexts: list[dict[str, Any]]) -> None:
    """A pod with users of its own may share no other namespace of its node."""
    for field in ("hostIPC", "hostNetwork", "hostPID"):
        if spec.get(field):
            spec[field] = False
    for context in contexts:
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            context["windowsOptions"] = {"hostProcess": False}


def _settle_ports(containers: list[dict[str, Any]], *, host_network: bool) -> None:
    """No port twice; in the node's network both numbers of a port are one."""
    ports = [port for container in containers for port in container.get("ports") or ()]
    for number, port in enumerate(ports, start=8001):
        port["containerPort"] = number
        if port.get("hostPort"):
            port["hostPort"] = number if host_network else number + 1000
