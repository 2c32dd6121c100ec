# METADATA
# title: A hanging rollout is noticed in time
# description: >-
#   If new pods never become ready, a Deployment and its sync count as in progress until the progress deadline has
#   passed. The default is ten minutes. A deadline shorter than a normal start fails good rollouts.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds
#     description: Kubernetes on the progress deadline
# custom:
#   id: progress-deadline
#   severity: error
#   scope: object
#   kinds: [{group: apps, kind: Deployment}]
#   parameters:
#     maximum:
#       description: The longest deadline that is allowed, in seconds.
#       type: integer
#       minimum: 1
#       default: 300
#   remedy: >-
#     Set progressDeadlineSeconds above what the startup probe allows and minReadySeconds, and below the parameter.
package cartwright.rules.progress_deadline

import data.lib.quantity
import data.lib.report
import data.lib.workload

violation contains report.at(input.review.object, _path, text) if {
	not _is_short_enough
	text := sprintf("notices after %v seconds that a rollout hangs; set progressDeadlineSeconds to %d or less", [
		quantity.shown(_deadline),
		input.parameters.maximum,
	])
}

violation contains report.at(input.review.object, _path, text) if {
	_is_short_enough
	needed := max(_starts) + _min_ready
	_deadline <= needed
	text := sprintf("gives a rollout %v seconds, of which a pod's start may take %v; set progressDeadlineSeconds above that", [
		_deadline,
		needed,
	])
}

_path := ["spec", "progressDeadlineSeconds"]

# What the API server fills in.
default _deadline := 600

_deadline := stated if {
	stated := input.review.object.spec.progressDeadlineSeconds
	stated != null
}

_is_short_enough if {
	is_number(_deadline)
	_deadline <= input.parameters.maximum
}

default _min_ready := 0

_min_ready := stated if {
	stated := input.review.object.spec.minReadySeconds
	is_number(stated)
}

# How long the slowest container may take to start, by its startup probe.
_starts contains 0

_starts contains _seconds(probe, "initialDelaySeconds", 0) + (_seconds(probe, "periodSeconds", 10) * _seconds(
	probe,
	"failureThreshold", 3,
)) if {
	some container in workload.long_running(input.review.object)
	probe := container.spec.startupProbe
	is_object(probe)
}

_seconds(probe, field, otherwise) := stated if {
	stated := probe[field]
	is_number(stated)
} else := otherwise
