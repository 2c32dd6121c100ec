# METADATA
# title: An autoscaler can scale, and keeps at least two pods
# description: >-
#   If minReplicas equals maxReplicas, an autoscaler scales nothing. With a single pod at night, one failure is an
#   outage. The default minReplicas is one.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
#     description: Kubernetes on the HorizontalPodAutoscaler
# custom:
#   id: hpa-bounds
#   severity: error
#   scope: object
#   kinds: [{group: autoscaling, kind: HorizontalPodAutoscaler}]
#   parameters:
#     minimum:
#       description: The smallest minReplicas that is allowed.
#       type: integer
#       minimum: 1
#       default: 2
#   remedy: >-
#     Set minReplicas to 2 or more, and maxReplicas above it.
package cartwright.rules.hpa_bounds

import data.lib.report

violation contains report.at(input.review.object, ["spec", "minReplicas"], text) if {
	_least < input.parameters.minimum
	text := sprintf("may go down to %d pods; set minReplicas to %d or more", [_least, input.parameters.minimum])
}

violation contains report.at(input.review.object, ["spec", "maxReplicas"], text) if {
	not _has_room
	text := sprintf(
		"keeps %d pods and may have no more than %v; set maxReplicas above minReplicas",
		[_least, object.get(input.review.object, ["spec", "maxReplicas"], "that")],
	)
}

_has_room if {
	is_number(input.review.object.spec.maxReplicas)
	input.review.object.spec.maxReplicas > _least
}

default _least := 1

_least := stated if {
	stated := input.review.object.spec.minReplicas
	is_number(stated)
}
