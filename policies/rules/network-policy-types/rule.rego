# METADATA
# title: A NetworkPolicy names the directions that it is about
# description: >-
#   Without policyTypes a policy with no egress rule leaves egress open, where its author may have meant to close it. Rules
#   of a direction that policyTypes leaves out are not applied, and nothing says so.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: network-policy-types
#   severity: error
#   scope: object
#   kinds: [{group: networking.k8s.io, kind: NetworkPolicy}]
#   git_only: The API server fills policyTypes in, so every policy of a cluster names some.
#   remedy: Set spec.policyTypes to the directions that the policy is about, each that it has rules for among them.
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
