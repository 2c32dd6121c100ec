# METADATA
# title: Disruption budgets
# description: Which PodDisruptionBudgets and workloads of a namespace belong together.
package lib.budget

import data.lib.inventory
import data.lib.pods
import data.lib.report
import data.lib.selector
import data.lib.workload

# METADATA
# description: >-
#   True for a workload whose pods some budget of its namespace selects. One of the workload's own name is asked first,
#   so that others are only looked at where it doesn't.
protects_some(resource) if {
	selects(inventory.named_beside(resource, "policy", "PodDisruptionBudget", report.name(resource)), resource)
} else if {
	some found in inventory.beside(resource, "policy", "PodDisruptionBudget")
	selects(found, resource)
}

# METADATA
# description: >-
#   True for a budget that selects some pod of its namespace, one that an operator makes included. Workloads of its own name
#   are asked first.
selects_some(resource) if {
	some kind in ["Deployment", "StatefulSet"]
	selects(resource, inventory.named_beside(resource, "apps", kind, report.name(resource)))
} else if count(pods.selected(resource, resource.spec.selector)) > 0

# METADATA
# description: True for a budget and an object with pods that it selects.
selects(budget, resource) if selector.matches(budget.spec.selector, workload.pod_labels(resource))
