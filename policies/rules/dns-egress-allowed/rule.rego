# METADATA
# title: Pods with restricted egress can resolve names
# description: >-
#   If egress is denied by default, a pod can't resolve names until a policy opens the resolver, over UDP and, for long
#   answers, TCP. Otherwise every call times out, and the called app looks broken.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
#     description: Kubernetes on names of Services and Pods
# custom:
#   id: dns-egress-allowed
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     resolvers:
#       description: The pods that resolve names, and their port. Derived from apps/dependencies.yaml.
#       type: object
#       required: [namespace, labels, port]
#       properties:
#         namespace: {type: string}
#         labels: {type: object, additionalProperties: {type: string}}
#         port: {type: integer}
#       default: {namespace: kube-system, labels: {k8s-app: kube-dns}, port: 53}
#   example: {bad: denied, good: opened}
#   reads: [NetworkPolicy.networking.k8s.io]
#   remedy: >-
#     Open egress to the resolver's pods on port 53 over UDP and TCP. `cartwright networkpolicies` writes that into
#     every app's policy.
package cartwright.rules.dns_egress_allowed

import data.lib.netpol
import data.lib.report
import data.lib.selector
import data.lib.workload

violation contains report.at(input.review.object, [], text) if {
	policies := netpol.isolating(input.review.object, "Egress")
	count(policies) > 0
	not workload.pod_spec(input.review.object).hostNetwork == true
	some protocol in ["UDP", "TCP"]
	not _may_resolve(policies, protocol)
	text := sprintf(
		"its pods' egress is confined, and no policy lets them reach %s/%v of the resolver in %s; open it",
		[protocol, _resolvers.port, _resolvers.namespace],
	)
}

_resolvers := input.parameters.resolvers

_may_resolve(policies, protocol) if {
	some policy in policies
	some opening in netpol.openings(policy)
	opening.direction == "Egress"
	netpol.includes(opening.port, {"protocol": protocol, "port": _resolvers.port})
	_reaches(policy, opening.peer)
}

_reaches(_, "everybody")

# A resolver on the node itself has an address and no labels.
_reaches(_, peer) if is_object(peer.ipBlock)

_reaches(policy, peer) if {
	is_object(peer)
	_is_their_namespace(policy, peer)
	_are_their_labels(peer)
}

_is_their_namespace(_, peer) if {
	selector.matches(peer.namespaceSelector, {"kubernetes.io/metadata.name": _resolvers.namespace})
}

_is_their_namespace(policy, peer) if {
	object.get(peer, "namespaceSelector", null) == null
	policy.metadata.namespace == _resolvers.namespace
}

_are_their_labels(peer) if object.get(peer, "podSelector", null) == null

_are_their_labels(peer) if selector.matches(peer.podSelector, _resolvers.labels)
