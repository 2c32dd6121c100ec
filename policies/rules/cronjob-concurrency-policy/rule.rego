# METADATA
# title: A CronJob states what happens if a run is still active
# description: >-
#   The default allows concurrent runs: if one takes longer than usual the next starts beside it, both slow down, and
#   they pile up until the namespace is full.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
#     description: Kubernetes on CronJobs
# custom:
#   id: cronjob-concurrency-policy
#   severity: error
#   scope: object
#   kinds: [{group: batch, kind: CronJob}]
#   parameters:
#     allowed:
#       description: The policies that are allowed.
#       type: array
#       items: {type: string, enum: [Allow, Forbid, Replace]}
#       default: [Forbid, Replace]
#   remedy: Set concurrencyPolicy to Forbid, or to Replace if only the newest run counts.
package cartwright.rules.cronjob_concurrency_policy

import data.lib.report

violation contains report.at(input.review.object, ["spec", "concurrencyPolicy"], text) if {
	not _policy in input.parameters.allowed
	text := sprintf(
		"concurrencyPolicy is %v, so runs may pile up; set it to %s",
		[_policy, concat(" or ", input.parameters.allowed)],
	)
}

default _policy := "Allow"

_policy := stated if {
	stated := input.review.object.spec.concurrencyPolicy
	not stated in {"", null}
}
