# METADATA
# title: Every namespace denies both directions by default
# description: >-
#   A pod that no NetworkPolicy selects may talk to everything. A policy that selects every pod and opens nothing denies
#   all undeclared connections, also for pods that are added later.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on default policies
# custom:
#   id: default-deny
#   severity: error
#   scope: environment
#   kinds: [{group: "", kind: Namespace}]
#   parameters:
#     exempt:
#       description: Namespaces that somebody else is responsible for.
#       type: array
#       items: {type: string}
#       default: [default, kube-node-lease, kube-public, kube-system]
#   reads: [NetworkPolicy.networking.k8s.io]
#   remedy: >-
#     Add a NetworkPolicy with an empty podSelector, policyTypes [Ingress, Egress] and no rules to the namespace, as in
#     clusters/base/networkpolicies.
package cartwright.rules.default_deny

import data.lib.inventory
import data.lib.netpol
import data.lib.report

violation contains report.at(input.review.object, ["metadata", "name"], text) if {
	some direction in ["Ingress", "Egress"]
	not _name in input.parameters.exempt
	not _is_denied(direction)
	text := sprintf(
		"no NetworkPolicy of this namespace denies %s to every pod; add one with an empty podSelector and no rules",
		[lower(direction)],
	)
}

_name := report.name(input.review.object)

_is_denied(direction) if {
	some policy in inventory.beside({"metadata": {"namespace": _name}}, "networking.k8s.io", "NetworkPolicy")
	direction in netpol.directions(policy)
	_selects_all(netpol.pod_selector(policy))
	not _opens(policy, direction)
}

_selects_all(selector) if {
	is_object(selector)
	every field, value in selector {
		field in {"matchLabels", "matchExpressions"}
		value in [null, {}, []]
	}
}

_opens(policy, direction) if {
	some opening in netpol.openings(policy)
	opening.direction == direction
}
