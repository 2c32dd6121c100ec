# METADATA
# title: Namespaces enforce at least the upstream's Pod Security level
# description: >-
#   Prod must not admit a pod that staging's namespace would refuse: the level in front of customers is the one that
#   counts.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-admission/
#     description: Kubernetes on Pod Security admission
# custom:
#   id: security-level-not-below-upstream
#   severity: error
#   scope: fleet
#   kinds: [{group: "", kind: Namespace}]
#   example: {bad: lower, good: same}
#   remedy: Set the label pod-security.kubernetes.io/enforce to the upstream's level.
package cartwright.rules.security_level_not_below_upstream

import data.lib.fleet
import data.lib.levels
import data.lib.report

violation contains report.at(input.review.object, ["metadata", "labels", levels.enforce_label], text) if {
	some found in fleet.counterparts(input.review.object, input.environment)
	theirs := _level(found.object)
	own := _level(input.review.object)
	levels.rank[own] < levels.rank[theirs]
	text := sprintf("enforces %s, while %s enforces %s; set the label to %s", [own, found.environment, theirs, theirs])
}

# As the API server reads it: a namespace that says nothing lets everything in.
_level(namespace) := level if {
	level := namespace.metadata.labels[levels.enforce_label]
	levels.rank[level]
} else := "privileged"
