# METADATA
# title: A pod's PriorityClass exists
# description: >-
#   The API server refuses a pod whose PriorityClass does not exist: the Deployment is accepted, and none of its pods
#   ever starts. Without a priority a pod is evicted first when a node is full.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
#     description: Kubernetes on priorities
# custom:
#   id: priority-class-exists
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     existing:
#       description: PriorityClasses that every cluster has, or that others create.
#       type: array
#       items: {type: string}
#       default: [system-cluster-critical, system-node-critical]
#     required:
#       description: Whether every pod must name one.
#       type: boolean
#       default: false
#   example: {bad: other-name, good: there}
#   reads: [PriorityClass.scheduling.k8s.io]
#   remedy: Name a PriorityClass of the cluster, see clusters/base/priorityclasses.
package cartwright.rules.priority_class_exists

import data.lib.inventory
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["priorityClassName"], text) if {
	name := object.get(_pod_spec, "priorityClassName", null)
	not name in {"", null}
	not name in input.parameters.existing
	not inventory.cluster_wide("scheduling.k8s.io", "PriorityClass", name)
	text := sprintf("names the PriorityClass %v, which the cluster does not have; correct the name, or create it", [name])
}

violation contains report.in_pod(input.review.object, ["priorityClassName"], text) if {
	input.parameters.required
	object.get(_pod_spec, "priorityClassName", null) in {"", null}
	text := "names no PriorityClass, so it is the first to go when a node is full; set priorityClassName"
}

_pod_spec := workload.pod_spec(input.review.object)
