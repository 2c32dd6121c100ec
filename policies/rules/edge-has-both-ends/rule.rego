# METADATA
# title: Both ends of an edge open it
# description: >-
#   If every namespace denies both directions, an edge needs two halves: egress of the caller and ingress of the called
#   app. With one half the connection times out, and both apps blame each other.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: edge-has-both-ends
#   severity: error
#   scope: environment
#   kinds: [{group: networking.k8s.io, kind: NetworkPolicy}]
#   example: {bad: nobody, good: both}
#   reads: [NetworkPolicy.networking.k8s.io]
#   remedy: >-
#     Declare the edge in apps/dependencies.yaml and run `cartwright networkpolicies`, which writes both halves. Or
#     remove the remaining half.
package cartwright.rules.edge_has_both_ends

import data.lib.edges
import data.lib.netpol
import data.lib.report
import data.lib.selector

violation contains report.at(input.review.object, opening.path, text) if {
	some opening in netpol.openings(input.review.object)
	is_object(opening.peer)
	some own in edges.own_sides(input.review.object)
	some other in edges.peer_sides(input.review.object, opening.peer)
	_is_confined(other, _opposite[opening.direction])
	not _is_opened(other, own, opening)
	text := sprintf("%s %s on %s is open on this side, and %s of those pods is not; open both or neither", [
		_towards[opening.direction],
		edges.side_text(other),
		netpol.port_text(opening.port),
		lower(_opposite[opening.direction]),
	])
}

_opposite := {"Egress": "Ingress", "Ingress": "Egress"}

_towards := {"Egress": "egress to", "Ingress": "ingress from"}

# Pods of this environment that some policy isolates in that direction.
_is_confined(side, direction) if {
	some policy in _policies_of(side)
	direction in netpol.directions(policy)
}

_policies_of(side) := netpol.selecting({"metadata": {"namespace": side.namespace}}, side.labels) if {
	is_string(side.namespace)
}

_is_opened(side, own, opening) if {
	some policy in _policies_of(side)
	some there in netpol.openings(policy)
	there.direction == _opposite[opening.direction]
	_meet(opening.port, there.port)
	_lets(policy, there.peer, own)
}

# One of them may open more than the other needs.
_meet(here, there) if netpol.includes(there, here)

_meet(here, there) if netpol.includes(here, there)

_lets(_, "everybody", _)

# Pods of every namespace, all of them or those with some labels.
_lets(_, peer, own) if {
	peer.namespaceSelector == {}
	selector.matches(object.get(peer, "podSelector", {}), own.labels)
}

_lets(policy, peer, own) if {
	some side in edges.peer_sides(policy, peer)
	edges.within(own, side)
}
