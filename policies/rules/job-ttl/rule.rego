# METADATA
# title: Finished Jobs are deleted
# description: >-
#   A finished Job and its pods stay until somebody deletes them: lists fill up, and a Job of the same name can't be
#   applied again. Argo CD deletes its hook Jobs, and a CronJob keeps as many as its history limits say.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
#     description: Kubernetes on finished Jobs
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_hooks/
#     description: Argo CD on hooks
# custom:
#   id: job-ttl
#   severity: error
#   scope: object
#   kinds:
#     - {group: batch, kind: CronJob}
#     - {group: batch, kind: Job}
#   parameters:
#     seconds:
#       description: Most seconds that a finished Job may stay.
#       type: integer
#       minimum: 0
#       default: 86400
#     history:
#       description: Most finished Jobs, succeeded or failed, that a CronJob may keep.
#       type: integer
#       minimum: 0
#       default: 5
#   remedy: Make the Job an Argo CD hook, or set ttlSecondsAfterFinished. Keep the history limits of a CronJob small.
package cartwright.rules.job_ttl

import data.lib.report

violation contains report.at(input.review.object, ["spec", "ttlSecondsAfterFinished"], text) if {
	input.review.object.kind == "Job"
	not _is_cleared_away
	text := sprintf(
		"stays after it has finished; make it a hook of Argo CD, or set ttlSecondsAfterFinished to %d or less",
		[input.parameters.seconds],
	)
}

violation contains report.at(input.review.object, ["spec", field], text) if {
	input.review.object.kind == "CronJob"
	some field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"]
	kept := input.review.object.spec[field]
	kept != null
	not _is_few(kept)
	text := sprintf("keeps %v finished Jobs; set %s to %d or less", [kept, field, input.parameters.history])
}

_is_cleared_away if {
	seconds := input.review.object.spec.ttlSecondsAfterFinished
	is_number(seconds)
	seconds <= input.parameters.seconds
}

# Without a policy a hook is deleted before it is created anew.
_is_cleared_away if input.review.object.metadata.annotations["argocd.argoproj.io/hook"]

# The CronJob that made it clears it away.
_is_cleared_away if {
	some owner in input.review.object.metadata.ownerReferences
	owner.controller == true
}

_is_few(kept) if {
	is_number(kept)
	kept <= input.parameters.history
}
