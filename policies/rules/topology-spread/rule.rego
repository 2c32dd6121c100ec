# METADATA
# title: Pods of a workload spread over nodes and zones
# description: >-
#   Replicas on one node, or in one zone, fail together. A constraint whose selector misses the workload's own pods
#   spreads nothing.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
#     description: Kubernetes on topology spread constraints
# custom:
#   id: topology-spread
#   severity: error
#   scope: environment
#   kinds:
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: StatefulSet}
#   parameters:
#     replicas:
#       description: Number of pods (minReplicas under an autoscaler) from which they must be spread.
#       type: integer
#       minimum: 1
#       default: 2
#     topologyKeys:
#       description: The node labels over whose values the pods must be spread.
#       type: array
#       items: {type: string}
#       default: [kubernetes.io/hostname]
#   example: {bad: nothing, good: spread}
#   reads:
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: >-
#     Add a topologySpreadConstraint with the workload's own selector for each of the keys, or use the component
#     topology-spread.
package cartwright.rules.topology_spread

import data.lib.report
import data.lib.scale
import data.lib.selector
import data.lib.workload

violation contains report.in_pod(input.review.object, ["topologySpreadConstraints"], text) if {
	pods := scale.least(input.review.object)
	pods >= input.parameters.replicas
	some key in input.parameters.topologyKeys
	not _is_spread_over(key)
	text := sprintf("keeps %d pods that nothing spreads over %s; add a topologySpreadConstraint with that topologyKey", [pods, key])
}

violation contains report.in_pod(input.review.object, ["topologySpreadConstraints", index, "labelSelector"], text) if {
	some index, constraint in _pod_spec.topologySpreadConstraints
	not _selects_own_pods(constraint)
	text := sprintf(
		"the topologySpreadConstraint %d does not select its own pods, so it spreads nothing; give it this workload's selector",
		[index],
	)
}

_pod_spec := workload.pod_spec(input.review.object)

_selects_own_pods(term) if selector.matches(term.labelSelector, workload.pod_labels(input.review.object))

_is_spread_over(key) if {
	some constraint in _pod_spec.topologySpreadConstraints
	constraint.topologyKey == key
}

# Pods that keep away from each other are spread as well.
_is_spread_over(key) if {
	some term in _anti_affinity
	term.topologyKey == key
	_selects_own_pods(term)
}

_anti_affinity contains term if {
	some term in _pod_spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution
}

_anti_affinity contains preferred.podAffinityTerm if {
	some preferred in _pod_spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution
}
