# METADATA
# title: NetworkPolicies cover every pod in both directions
# description: >-
#   Every other pod of the cluster can reach a pod that no NetworkPolicy selects, and that pod can reach everything. A
#   pod that is selected for ingress alone can still send out whatever an attacker finds.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: network-policy-required
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   example: {bad: no-policy, good: both-directions}
#   reads: [NetworkPolicy.networking.k8s.io]
#   remedy: >-
#     Add a policy to the namespace that denies both directions to every pod. Declare the app's edges in
#     apps/dependencies.yaml and run `cartwright networkpolicies`.
package cartwright.rules.network_policy_required

import data.lib.netpol
import data.lib.report
import data.lib.workload

violation contains report.at(input.review.object, [], text) if {
	some direction in ["Ingress", "Egress"]
	not _is_isolated(direction)
	not _uses_the_nodes_network
	text := sprintf(
		"no NetworkPolicy of its namespace covers its pods for %s; select them by one with policyTypes [Ingress, Egress]",
		[lower(direction)],
	)
}

_is_isolated(direction) if count(netpol.isolating(input.review.object, direction)) > 0

# Policies don't bind these pods; pss-host-namespaces does.
_uses_the_nodes_network if workload.pod_spec(input.review.object).hostNetwork == true
