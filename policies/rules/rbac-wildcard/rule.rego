# METADATA
# title: Roles list what they allow
# description: >-
#   A `*` allows everything that exists today and everything that an operator or a new version of Kubernetes adds later.
#   Nobody reviews that.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: rbac-wildcard
#   severity: error
#   scope: object
#   kinds: [{group: rbac.authorization.k8s.io, kind: Role}, {group: rbac.authorization.k8s.io, kind: ClusterRole}]
#   example: {bad: verbs, good: named}
#   remedy: List the API groups, resources, verbs and URLs that are used.
package cartwright.rules.rbac_wildcard

import data.lib.report

violation contains report.at(input.review.object, ["rules", index, field, place], text) if {
	some index, rule in input.review.object.rules
	some field in ["apiGroups", "resources", "verbs", "nonResourceURLs"]
	some place, value in rule[field]
	is_string(value)
	contains(value, "*")
	text := sprintf("allows %s %s; name the ones that are used", [field, value])
}
