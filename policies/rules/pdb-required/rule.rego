# METADATA
# title: Workloads with several pods have a disruption budget
# description: >-
#   Without a PodDisruptionBudget, draining a node for an upgrade or to save money may remove every pod of a workload at
#   once.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#     description: Kubernetes on disruption budgets
# custom:
#   id: pdb-required
#   severity: error
#   scope: environment
#   kinds:
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: StatefulSet}
#   parameters:
#     replicas:
#       description: Number of pods (minReplicas under an autoscaler) from which a budget is required.
#       type: integer
#       minimum: 1
#       default: 2
#   example: {bad: two-pods, good: budget}
#   reads:
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#     - PodDisruptionBudget.policy
#   remedy: >-
#     Add a PodDisruptionBudget with maxUnavailable 1 and the workload's own selector, or use the component
#     disruption-budget.
package cartwright.rules.pdb_required

import data.lib.budget
import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, [], text) if {
	pods := scale.least(input.review.object)
	pods >= input.parameters.replicas
	not budget.protects_some(input.review.object)
	text := sprintf(
		"keeps %d pods, and no PodDisruptionBudget selects them; add one with maxUnavailable 1 and this workload's selector",
		[pods],
	)
}
