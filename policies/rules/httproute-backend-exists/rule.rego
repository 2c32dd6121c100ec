# METADATA
# title: A Gateway API route points to an existing Service and port
# description: >-
#   The route is accepted, but a missing backend answers with 500 or 503. A backend in another namespace needs a
#   ReferenceGrant there; without it the route has no backend.
# related_resources:
#   - ref: https://gateway-api.sigs.k8s.io/api-types/httproute/
#     description: Gateway API on HTTPRoute
#   - ref: https://gateway-api.sigs.k8s.io/api-types/referencegrant/
#     description: Gateway API on ReferenceGrant
# custom:
#   id: httproute-backend-exists
#   severity: error
#   scope: environment
#   kinds: [{group: gateway.networking.k8s.io, kind: HTTPRoute}, {group: gateway.networking.k8s.io, kind: GRPCRoute}]
#   example: {bad: no-service, good: same-namespace}
#   reads: [Service, ReferenceGrant.gateway.networking.k8s.io]
#   remedy: >-
#     Name a Service and one of its port numbers. For a Service in another namespace, add a ReferenceGrant there that
#     admits routes of this namespace.
package cartwright.rules.httproute_backend_exists

import data.lib.backend
import data.lib.inventory
import data.lib.report

violation contains report.at(input.review.object, array.concat(one.path, ["name"]), text) if {
	some one in _services
	home := {"metadata": {"namespace": _namespace(one.backend)}}
	text := backend.fault(home, object.get(one.backend, "name", ""), object.get(one.backend, "port", null))
}

violation contains report.at(input.review.object, array.concat(one.path, ["namespace"]), text) if {
	some one in _services
	namespace := _namespace(one.backend)
	namespace != _own_namespace
	not _is_granted(namespace, object.get(one.backend, "name", ""))
	text := sprintf("sends requests to namespace %v, where no ReferenceGrant admits it; add one there", [namespace])
}

_own_namespace := inventory.namespace(input.review.object)

_namespace(backend) := found if {
	found := backend.namespace
	not found in [null, ""]
} else := _own_namespace

_services contains one if {
	some one in _backends
	object.get(one.backend, "kind", "Service") == "Service"
	object.get(one.backend, "group", "") == ""
}

_backends contains {"path": ["spec", "rules", number, "backendRefs", index], "backend": backend} if {
	some number, rule in input.review.object.spec.rules
	some index, backend in rule.backendRefs
	is_object(backend)
}

_backends contains {"path": path, "backend": backend} if {
	some number, rule in input.review.object.spec.rules
	some index, filter in rule.filters
	backend := filter.requestMirror.backendRef
	is_object(backend)
	path := ["spec", "rules", number, "filters", index, "requestMirror", "backendRef"]
}

_is_granted(namespace, name) if {
	home := {"metadata": {"namespace": namespace}}
	some grant in inventory.beside(home, "gateway.networking.k8s.io", "ReferenceGrant")
	some from in grant.spec.from
	from.group == "gateway.networking.k8s.io"
	from.kind == input.review.object.kind
	from.namespace == _own_namespace
	some to in grant.spec.to
	to.kind == "Service"
	object.get(to, "name", name) == name
}
