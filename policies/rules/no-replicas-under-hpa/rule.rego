# METADATA
# title: A workload under an autoscaler states no replicas
# description: >-
#   The autoscaler owns the number. A manifest that states one too sets it back with every sync: under load, a deployment
#   of an unrelated change takes pods away.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling
#     description: Kubernetes on moving a workload under an autoscaler
# custom:
#   id: no-replicas-under-hpa
#   severity: error
#   scope: environment
#   kinds:
#     - {group: "", kind: ReplicationController}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#   remedy: Remove spec.replicas; the autoscaler's minReplicas is the number to start with.
package cartwright.rules.no_replicas_under_hpa

import data.lib.inventory
import data.lib.report

violation contains report.at(input.review.object, ["spec", "replicas"], text) if {
	input.review.object.spec.replicas != null
	some autoscaler in inventory.beside(input.review.object, "autoscaling", "HorizontalPodAutoscaler")
	_scales(autoscaler.spec.scaleTargetRef, input.review.object)
	text := sprintf(
		"states replicas, which the HorizontalPodAutoscaler %v owns; remove spec.replicas",
		[report.name(autoscaler)],
	)
}

_scales(target, object) if {
	target.kind == object.kind
	target.name == report.name(object)
	_group(target) == _group(object)
}

# The group without the version: an autoscaler may name another version of the same kind.
_group(reference) := group if {
	[group, _] := split(reference.apiVersion, "/")
} else := ""
