# METADATA
# title: A workload with an autoscaler sets no replicas
# description: >-
#   The autoscaler owns the number. A manifest with replicas resets it at every sync: under load, deploying an unrelated
#   change removes pods.
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
#   git_only: The API server fills in replicas before admission, and the autoscaler writes them.
#   reads:
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: Remove spec.replicas. The workload then starts with the autoscaler's minReplicas.
package cartwright.rules.no_replicas_under_hpa

import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, ["spec", "replicas"], text) if {
	input.review.object.spec.replicas != null
	autoscaler := scale.autoscaler(input.review.object)
	text := sprintf(
		"states replicas, which the HorizontalPodAutoscaler %v owns; remove spec.replicas",
		[report.name(autoscaler)],
	)
}
