# METADATA
# title: A Job that fails gives up soon
# description: >-
#   Nothing said means six retries, each waiting twice as long as the one before: what is broken goes on for a quarter
#   of an hour, and the sync that waits for the Job does too.
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
#       description: How often a Job may be tried again at most.
#       type: integer
#       minimum: 0
#       default: 5
#   remedy: >-
#     Set backoffLimit, of the Job or of the CronJob's jobTemplate.
package cartwright.rules.job_backoff_limit

import data.lib.job
import data.lib.report

violation contains report.at(input.review.object, _path, text) if {
	not _is_stated
	text := sprintf("does not say how often to try again; set backoffLimit to %d or less", [input.parameters.maximum])
}

violation contains report.at(input.review.object, _path, text) if {
	_is_stated
	not _is_small
	text := sprintf("is tried again %v times; set backoffLimit to %d or less", [_stated, input.parameters.maximum])
}

_path := array.concat(job.path(input.review.object), [_field])

_stated := job.spec(input.review.object)[_field]

_is_stated if _stated != null

_is_small if {
	is_number(_stated)
	_stated <= input.parameters.maximum
}

default _field := "backoffLimit"

# A Job with indexes may count for each of them instead.
_field := "backoffLimitPerIndex" if {
	spec := job.spec(input.review.object)
	object.get(spec, "backoffLimit", null) == null
	object.get(spec, "backoffLimitPerIndex", null) != null
}
