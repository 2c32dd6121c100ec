# METADATA
# title: A rollout keeps serving pods
# description: >-
#   A rolling update that may remove every pod at once is an outage with each release. One that may neither add nor
#   remove a pod never ends. Percentages hide both: "100%" of two is two, "0%" is none.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
#     description: Kubernetes on rolling updates
# custom:
#   id: rollout-keeps-pods
#   severity: error
#   scope: environment
#   kinds: [{group: apps, kind: Deployment}]
#   reads:
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: >-
#     Set strategy.rollingUpdate to maxSurge 1 and maxUnavailable 0, or maxUnavailable below the number of pods.
package cartwright.rules.rollout_keeps_pods

import data.lib.portion
import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, _path, text) if {
	_is_rolling
	taken := portion.rounded_down(_maximum("maxUnavailable"), _pods)
	taken >= _pods
	_pods > 0
	text := sprintf(
		"a rollout may take %v of its %d pods at once; set maxUnavailable below that, or to 0 with maxSurge 1",
		[_maximum("maxUnavailable"), _pods],
	)
}

violation contains report.at(input.review.object, _path, text) if {
	_is_rolling
	portion.of(_maximum("maxUnavailable"), 100) == 0
	portion.of(_maximum("maxSurge"), 100) == 0
	text := "a rollout may neither take nor add a pod, so it never ends; set maxSurge to 1"
}

_path := ["spec", "strategy", "rollingUpdate", "maxUnavailable"]

_pods := scale.least(input.review.object)

_is_rolling if not input.review.object.spec.strategy.type == "Recreate"

_maximum(field) := stated if {
	stated := input.review.object.spec.strategy.rollingUpdate[field]
	stated != null
} else := "25%"
