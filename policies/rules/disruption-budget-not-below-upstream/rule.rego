# METADATA
# title: A drain takes no more pods than in the upstream
# description: >-
#   A disruption budget that holds in staging and is looser in prod, or is not there at all, protects the wrong
#   environment: customers notice the drain that the rehearsal got through.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#     description: Kubernetes on disruption budgets
# custom:
#   id: disruption-budget-not-below-upstream
#   severity: error
#   scope: fleet
#   kinds:
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: StatefulSet}
#   remedy: Give the workload a PodDisruptionBudget that keeps at least as many pods as the upstream's does.
package cartwright.rules.disruption_budget_not_below_upstream

import data.lib.budget
import data.lib.fleet
import data.lib.inventory
import data.lib.portion
import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, [], text) if {
	some found in fleet.counterparts(input.review.object, input.environment)
	theirs := _kept_there(found)
	own := _kept(input.review.object)
	own < theirs
	text := sprintf(
		"a drain leaves %v of its pods, in %s it leaves %v; add or tighten its PodDisruptionBudget",
		[own, found.environment, theirs],
	)
}

_kept_there(found) := number if {
	number := _kept(found.object) with data.inventory as found.inventory
}

# The number of pods that every drain leaves: none without a budget, and of several the strictest counts.
_kept(resource) := max({0} | {number |
	some found in inventory.beside(resource, "policy", "PodDisruptionBudget")
	budget.selects(found, resource)
	number := _kept_by(found, scale.least(resource))
})

_kept_by(found, pods) := portion.of(found.spec.minAvailable, pods)

_kept_by(found, pods) := pods - portion.of(found.spec.maxUnavailable, pods)
