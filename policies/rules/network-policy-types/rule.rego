# METADATA
# title: A NetworkPolicy states its directions
# description: >-
#   Without policyTypes a policy with no egress rule leaves egress open, although its author may have meant to close it.
#   Rules of a direction that policyTypes omits are silently ignored.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: network-policy-types
#   severity: error
#   scope: object
#   kinds: [{group: networking.k8s.io, kind: NetworkPolicy}]
#   git_only: The API server fills in policyTypes, so every policy in a cluster has them.
#   remedy: List every direction that the policy covers in spec.policyTypes, including each that it has rules for.
package cartwright.rules.network_policy_types

import data.lib.netpol
import data.lib.report

violation contains report.at(input.review.object, ["spec", "policyTypes"], text) if {
	count(_named) == 0
	text := "names no policyTypes; write down the directions it is about, [Ingress, Egress]"
}

violation contains report.at(input.review.object, ["spec", names.rules], text) if {
	count(_named) > 0
	some direction, names in netpol.fields
	not direction in _named
	some _ in input.review.object.spec[names.rules]
	text := sprintf("has %s rules, but policyTypes leaves %s out, so they have no effect", [names.rules, direction])
}

_named := {type | some type in input.review.object.spec.policyTypes}
