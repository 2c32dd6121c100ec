# METADATA
# title: A disruption budget allows evicting one pod at a time
# description: >-
#   A budget that allows no eviction blocks every drain: node upgrades wait until somebody deletes the budget by hand.
#   That happens with maxUnavailable "0%", minAvailable "100%", and a minAvailable that equals the number of pods.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
#     description: Kubernetes on disruption budgets
# custom:
#   id: pdb-allows-eviction
#   severity: error
#   scope: environment
#   kinds: [{group: policy, kind: PodDisruptionBudget}]
#   reads: [pod-carrying, HorizontalPodAutoscaler.autoscaling, Deployment.extensions, ReplicaSet.extensions]
#   remedy: >-
#     Set maxUnavailable to 1, or minAvailable below the smallest number of pods. A workload with one pod needs no
#     budget.
package cartwright.rules.pdb_allows_eviction

import data.lib.budget
import data.lib.inventory
import data.lib.portion
import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, ["spec"], text) if {
	not _states("maxUnavailable")
	not _states("minAvailable")
	text := "states neither maxUnavailable nor minAvailable, so no pod may ever be evicted; set maxUnavailable to 1"
}

violation contains report.at(input.review.object, ["spec"], text) if {
	_states("maxUnavailable")
	_states("minAvailable")
	text := "states maxUnavailable and minAvailable, of which only one may be there; remove minAvailable"
}

violation contains report.at(input.review.object, ["spec", field], text) if {
	some field in ["maxUnavailable", "minAvailable"]
	_states(field)
	value := input.review.object.spec[field]
	not _is_portion(value)
	text := sprintf("%s is %v, which is neither a number nor a percentage such as \"25%%\"", [field, value])
}

violation contains report.at(input.review.object, ["spec", "maxUnavailable"], text) if {
	value := input.review.object.spec.maxUnavailable
	portion.of(value, 100) <= 0
	text := sprintf("maxUnavailable is %v, so no pod may ever be evicted; set it to 1", [value])
}

violation contains report.at(input.review.object, ["spec", "minAvailable"], text) if {
	value := input.review.object.spec.minAvailable
	_pods > 0
	portion.of(value, _pods) >= _pods
	text := sprintf(
		"minAvailable is %v of %d pods, so none may ever be evicted; state maxUnavailable 1 instead",
		[value, _pods],
	)
}

violation contains report.at(input.review.object, ["spec", "minAvailable"], text) if {
	value := input.review.object.spec.minAvailable
	is_string(value)
	portion.of(value, 100) >= 100
	_pods == 0
	text := sprintf("minAvailable is %v, so no pod may ever be evicted; state maxUnavailable 1 instead", [value])
}

_states(field) if input.review.object.spec[field] != null

_is_portion(value) if _ := portion.of(value, 1)

# The fewest pods that the budget may have to count. Who scales other kinds is not known here.
_pods := sum([scale.least(found) |
	some found in inventory.pods_beside(input.review.object)
	found.kind in {"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"}
	budget.selects(input.review.object, found)
])
