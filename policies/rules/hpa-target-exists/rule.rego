# METADATA
# title: An autoscaler's target exists
# description: >-
#   An autoscaler whose target has another name, kind or API group does nothing. It fails only in its own status, so the
#   next load peak reveals it.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
#     description: Kubernetes on the HorizontalPodAutoscaler
# custom:
#   id: hpa-target-exists
#   severity: error
#   scope: environment
#   kinds: [{group: autoscaling, kind: HorizontalPodAutoscaler}]
#   reads:
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: Set name, apiVersion and kind of an existing workload in scaleTargetRef.
package cartwright.rules.hpa_target_exists

import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, ["spec", "scaleTargetRef"], text) if {
	not scale.target(input.review.object)
	reference := object.get(input.review.object, ["spec", "scaleTargetRef"], null)
	text := sprintf(
		"scales %s, which its namespace does not have; name a workload with its apiVersion and kind",
		[_shown(reference)],
	)
}

_shown(reference) := sprintf("%v/%v of apiVersion %v", parts) if {
	is_object(reference)
	parts := [object.get(reference, field, "(none)") | some field in ["kind", "name", "apiVersion"]]
} else := "nothing"
