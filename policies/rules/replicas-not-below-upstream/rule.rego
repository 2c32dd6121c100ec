# METADATA
# title: >-
#   No environment runs fewer pods than its upstream
# description: >-
#   A test with three pods in staging says little about one pod in prod: a rollout, a lost node or a lock behaves
#   differently. An environment is compared with its upstreams.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
#     description: Kubernetes on autoscaling
# custom:
#   id: replicas-not-below-upstream
#   severity: error
#   scope: fleet
#   kinds:
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: StatefulSet}
#     - {group: autoscaling, kind: HorizontalPodAutoscaler}
#   remedy: >-
#     Raise replicas, or minReplicas of the HorizontalPodAutoscaler, to the upstream's number. Or lower it there first.
package cartwright.rules.replicas_not_below_upstream

import data.lib.fleet
import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, ["spec", "replicas"], text) if {
	input.review.object.kind != "HorizontalPodAutoscaler"
	some found in fleet.counterparts(input.review.object, input.environment)
	not fleet.autoscaler(fleet.around(input.review.object), input.review.object)
	own := scale.number_or(object.get(input.review.object, "spec", {}), "replicas", 1)
	text := _below(own, fleet.least(found.around, found.object), found.environment, "replicas")
}

violation contains report.at(input.review.object, ["spec", "minReplicas"], text) if {
	input.review.object.kind == "HorizontalPodAutoscaler"
	some found in fleet.counterparts(scale.target(input.review.object), input.environment)
	own := scale.number_or(input.review.object.spec, "minReplicas", 1)
	text := _below(own, fleet.least(found.around, found.object), found.environment, "minReplicas")
}

_below(own, theirs, environment, field) := sprintf(
	"keeps %v pods, while %s keeps %v; raise %s to %v",
	[own, environment, theirs, field, theirs],
) if {
	own < theirs
}
