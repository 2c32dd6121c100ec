# METADATA
# title: A pod has at most one disruption budget
# description: >-
#   The API server refuses to evict a pod that two budgets select, whatever they say. Drains of its node fail until one
#   budget is removed.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#     description: Kubernetes on disruption budgets
# custom:
#   id: pdb-overlap
#   severity: error
#   scope: environment
#   kinds: [{group: policy, kind: PodDisruptionBudget}]
#   reads: [pod-carrying, PodDisruptionBudget.policy]
#   remedy: Remove one of the budgets, or narrow its selector to its own pods.
package cartwright.rules.pdb_overlap

import data.lib.budget
import data.lib.inventory
import data.lib.report

violation contains report.at(input.review.object, ["spec", "selector"], text) if {
	some other in inventory.beside(input.review.object, "policy", "PodDisruptionBudget")
	report.name(other) != report.name(input.review.object)
	_may_meet(other.spec.selector, input.review.object.spec.selector)
	some workload in inventory.pods_beside(input.review.object)
	budget.selects(input.review.object, workload)
	budget.selects(other, workload)
	text := sprintf(
		"selects the pods of %v/%s, as the budget %s does, so none of them can be evicted; remove one of the two",
		[workload.kind, report.name(workload), report.name(other)],
	)
}

# Cheap to tell, and true of most: two selectors that want different values of one label have no pod in common.
_may_meet(one, other) if not _differ(one, other)

_differ(one, other) if {
	some key, value in one.matchLabels
	other.matchLabels[key] != value
}
