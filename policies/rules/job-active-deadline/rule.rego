# METADATA
# title: A Job has a deadline
# description: >-
#   Without a deadline a hanging Job runs for ever: it keeps its requests, and a sync or the next run of its CronJob
#   waits for it.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/job/
#     description: Kubernetes on Jobs
# custom:
#   id: job-active-deadline
#   severity: error
#   scope: object
#   kinds:
#     - {group: batch, kind: CronJob}
#     - {group: batch, kind: Job}
#   parameters:
#     maximum:
#       description: Most seconds that a Job may run.
#       type: integer
#       minimum: 1
#       default: 3600
#   remedy: Set activeDeadlineSeconds of the Job, or of the CronJob's jobTemplate, above its longest run.
package cartwright.rules.job_active_deadline

import data.lib.job
import data.lib.quantity
import data.lib.report

violation contains report.at(input.review.object, _path, text) if {
	not _is_stated
	text := "may run for ever; set activeDeadlineSeconds"
}

violation contains report.at(input.review.object, _path, text) if {
	_is_stated
	not _is_short
	text := sprintf(
		"may run for %v seconds; set activeDeadlineSeconds to %d or less",
		[quantity.shown(_stated), input.parameters.maximum],
	)
}

_path := array.concat(job.path(input.review.object), ["activeDeadlineSeconds"])

_stated := job.spec(input.review.object).activeDeadlineSeconds

_is_stated if _stated != null

_is_short if {
	is_number(_stated)
	_stated <= input.parameters.maximum
}
