# METADATA
# title: A disruption budget selects pods
# description: >-
#   A PodDisruptionBudget whose selector matches nothing protects nothing, and nobody notices until a drain removes
#   every replica at once. This happens when labels are renamed on one side.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#     description: Kubernetes on disruption budgets
# custom:
#   id: pdb-selects
#   severity: error
#   scope: environment
#   kinds: [{group: policy, kind: PodDisruptionBudget}]
#   example: {bad: other-label, good: same-label}
#   reads: [pod-carrying, Alertmanager.monitoring.coreos.com, Prometheus.monitoring.coreos.com]
#   remedy: Give the budget the selector of its workload.
package cartwright.rules.pdb_selects

import data.lib.budget
import data.lib.report

violation contains report.at(input.review.object, ["spec", "selector"], text) if {
	not budget.selects_some(input.review.object)
	text := "its selector matches no pod of its namespace; give it the selector of the workload that it protects"
}
