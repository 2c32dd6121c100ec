# METADATA
# title: A failing Job gives up soon
# description: >-
#   The default is six retries, each after twice the wait of the one before: a broken Job retries for a quarter of an
#   hour, and the sync waits for it.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/job/
#     description: Kubernetes on Jobs
# custom:
#   id: job-backoff-limit
#   severity: error
#   scope: object
#   kinds:
#     - {group: batch, kind: CronJob}
#     - {group: batch, kind: Job}
#   parameters:
#     maximum:
#       description: Most retries of a Job.
#       type: integer
#       minimum: 0
#       default: 5
#   remedy: Set backoffLimit of the Job, or of the CronJob's jobTemplate.
package cartwright.rules.job_backoff_limit

import data.lib.job
import data.lib.quantity
import data.lib.report

violation contains report.at(input.review.object, path, text) if {
	not _is_small
	path := array.concat(job.path(input.review.object), [_field])
	text := sprintf("is tried again %v times; set %s to %d or less", [quantity.shown(_retries), _field, input.parameters.maximum])
}

_spec := job.spec(input.review.object)

default _field := "backoffLimit"

# A Job with indexes counts for each of them, and for all together only where it says so.
_field := "backoffLimitPerIndex" if object.get(_spec, "backoffLimitPerIndex", null) != null

# What the API server fills in.
default _retries := 6

_retries := stated if {
	stated := _spec[_field]
	stated != null
}

_is_small if {
	is_number(_retries)
	_retries <= input.parameters.maximum
}
