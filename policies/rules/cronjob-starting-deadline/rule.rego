# METADATA
# title: A CronJob states how late it may start
# description: >-
#   Without a starting deadline, a CronJob that missed a hundred starts (suspended, or the control plane was down) does
#   not start again until somebody notices. With less than ten seconds it may never start: the controller checks every
#   ten.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
#     description: Kubernetes on CronJobs
# custom:
#   id: cronjob-starting-deadline
#   severity: error
#   scope: object
#   kinds: [{group: batch, kind: CronJob}]
#   parameters:
#     minimum:
#       description: The shortest deadline that is allowed, in seconds.
#       type: integer
#       minimum: 10
#       default: 10
#     maximum:
#       description: The longest deadline that is allowed, in seconds.
#       type: integer
#       minimum: 10
#       default: 86400
#   remedy: Set startingDeadlineSeconds to the number of seconds that a run may be late.
package cartwright.rules.cronjob_starting_deadline

import data.lib.quantity
import data.lib.report

violation contains report.at(input.review.object, _path, text) if {
	not _is_stated
	text := "does not say how late it may start; set startingDeadlineSeconds"
}

violation contains report.at(input.review.object, _path, text) if {
	_is_stated
	not _is_within
	text := sprintf(
		"may start %v seconds late; set startingDeadlineSeconds to a number from %d to %d",
		[quantity.shown(_stated), input.parameters.minimum, input.parameters.maximum],
	)
}

_path := ["spec", "startingDeadlineSeconds"]

_stated := input.review.object.spec.startingDeadlineSeconds

_is_stated if _stated != null

_is_within if {
	is_number(_stated)
	_stated >= input.parameters.minimum
	_stated <= input.parameters.maximum
}
