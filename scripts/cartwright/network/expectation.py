"""What the declared map says of every connection, half by half. The code that generates policies plays no part here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cartwright.network.cyclonus import Endpoint, Flow, Verdict
from cartwright.network.surroundings import Surroundings
from cartwright.tree.dependencies import App, Call, Caller, DependencyMap, Neighbour
from cartwright.tree.ranges import Range

__all__ = ["expect", "is_declared"]


def expect(dependencies: DependencyMap, around: Surroundings) -> dict[Flow, Verdict]:
    """What the map says of every flow of which one end at least is a pod, half by half."""
    said = _Map(dependencies, around)
    flows = (
        Flow(source.name, target.name, port, protocol)
        for source in around.endpoints.values()
        for target in around.endpoints.values()
        if source.is_pod or target.is_pod
        for port, protocol in around.ports
    )
    return {flow: Verdict(egress=said.may_leave(flow), ingress=said.may_enter(flow)) for flow in flows}


def is_declared(dependencies: DependencyMap, around: Surroundings, flow: Flow) -> bool:
    """Whether an edge of the map leads from the source to the target: a call, a read of metrics, or name resolution.

    That a range of addresses happens to hold a pod's is no edge.
    """
    said = _Map(dependencies, around)
    target = around.endpoints[flow.target]
    app = around.apps.get(flow.source)
    if app is None:
        return flow.target in around.apps and said.is_caller(around.apps[flow.target], flow)
    return said.leads_to_pods(app, flow) or (not target.is_pod and said.leads_to_addresses(app, flow))


class _Map:
    """The declared map, asked about flows between endpoints."""

    def __init__(self, dependencies: DependencyMap, around: Surroundings) -> None:
        self._map = dependencies
        self._around = around

    def may_leave(self, flow: Flow) -> bool:
        """Whether the egress half is open."""
        if self._around.endpoints[flow.source].namespace not in self._around.policed:
            return True
        app = self._around.apps.get(flow.source)
        if app is None:
            return False
        to_api_server = app.api_server and flow.protocol == "TCP" and flow.port in self._map.api_server_ports
        return (
            (to_api_server and _holds(self._map.outside, self._around.endpoints[flow.target]))
            or self.leads_to_addresses(app, flow)
            or self.leads_to_pods(app, flow)
        )

    def may_enter(self, flow: Flow) -> bool:
        """Whether the ingress half is open."""
        if self._around.endpoints[flow.target].namespace not in self._around.policed:
            return True
        app = self._around.apps.get(flow.target)
        if app is None:
            return False
        from_outside = flow.protocol == "TCP" and flow.port in app.outside
        source = self._around.apps.get(flow.source)
        return (
            (from_outside and _holds(self._map.outside, self._around.endpoints[flow.source]))
            or self.is_caller(app, flow)
            or (source is not None and self.leads_to_pods(source, flow))
        )

    def leads_to_addresses(self, app: App, flow: Flow) -> bool:
        """Whether a call to something external, or name resolution on the node, opens the target's address."""
        target = self._around.endpoints[flow.target]
        if self._resolves(flow) and _holds(self._map.dns_node_local, target):
            return True
        called = (self._map.external[one.to] for one in app.calls if one.to in self._map.external and _fits(one, flow))
        return any(_holds(external.ranges, target) for external in called)

    def leads_to_pods(self, app: App, flow: Flow) -> bool:
        """Whether an edge of the app opens the target as a pod."""
        target = self._around.endpoints[flow.target]
        if self._resolves(flow) and self._is_resolver(target):
            return True
        called = self._around.apps.get(flow.target)
        names = {one.name for one in self._map.neighbours.values() if self._is_of(one, target)}
        names |= {called.key} if called else set()
        if any(call.to in names and _fits(call, flow) for call in app.calls):
            return True
        if app.key != self._map.scraper or flow.protocol != "TCP":
            return False
        read = {self._map.neighbours[name].metrics for name in names if name in self._map.neighbours}
        return flow.port in read | ({called.metrics} if called else set())

    def is_caller(self, app: App, flow: Flow) -> bool:
        """Whether the source is a neighbour that may call the app."""
        source = self._around.endpoints[flow.source]
        return any(
            _fits(caller, flow) and self._is_of(self._map.neighbours[caller.neighbour], source)
            for caller in app.callers
        )

    def _resolves(self, flow: Flow) -> bool:
        return flow.port == self._map.dns_port and flow.protocol in {"TCP", "UDP"}

    def _is_resolver(self, endpoint: Endpoint) -> bool:
        return endpoint.namespace == self._map.dns_namespace and _has(endpoint.labels, self._map.dns_labels)

    def _is_of(self, neighbour: Neighbour, endpoint: Endpoint) -> bool:
        """Whether the endpoint is one of the neighbour's pods. It may be one of several neighbours."""
        return (
            endpoint.is_pod
            and _has(self._around.namespaces[endpoint.namespace], neighbour.namespaces)
            and _has(endpoint.labels, neighbour.labels)
        )


def _fits(edge: Call | Caller, flow: Flow) -> bool:
    return flow.protocol == "TCP" and edge.port == flow.port


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()


def _holds(ranges: Iterable[Range], endpoint: Endpoint) -> bool:
    """Whether addresses include that of an endpoint. Pods' may be among them: a policy can't tell them apart."""
    return any(one.holds(endpoint.address) for one in ranges)
