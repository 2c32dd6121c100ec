# METADATA
# title: A drain removes no more pods than in the upstream
# description: >-
#   If a disruption budget of staging is looser or missing in prod, it protects the wrong environment: staging survives
#   a drain and customers notice it.
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
#   remedy: Give the workload a PodDisruptionBudget that keeps at least as many pods as in the upstream.
package cartwright.rules.disruption_budget_not_below_upstream

import data.lib.fleet
import data.lib.report

violation contains report.at(input.review.object, [], text) if {
	some found in fleet.counterparts(input.review.object, input.environment)
	theirs := fleet.kept(found.around, found.object)
	own := fleet.kept(fleet.around(input.review.object), input.review.object)
	own < theirs
	text := sprintf(
		"a drain leaves %v of its pods, in %s it leaves %v; add or tighten its PodDisruptionBudget",
		[own, found.environment, theirs],
	)
}
