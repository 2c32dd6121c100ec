# METADATA
# title: A CronJob states its time zone
# description: >-
#   A schedule without a time zone follows the clock of the machine that runs the controller manager, so it shifts by
#   hours when the cluster moves. The API server refuses a zone inside the schedule.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
#     description: Kubernetes on CronJobs
# custom:
#   id: cronjob-time-zone
#   severity: error
#   scope: object
#   kinds: [{group: batch, kind: CronJob}]
#   remedy: >-
#     Set timeZone, for example to Etc/UTC, and leave TZ= and CRON_TZ= out of the schedule.
package cartwright.rules.cronjob_time_zone

import data.lib.report

violation contains report.at(input.review.object, ["spec", "timeZone"], text) if {
	not _has_zone
	text := "does not say in which time zone its schedule is; set timeZone, for example to Etc/UTC"
}

violation contains report.at(input.review.object, ["spec", "schedule"], text) if {
	schedule := input.review.object.spec.schedule
	is_string(schedule)
	contains(schedule, "TZ=")
	text := "its schedule holds a time zone, which the API server refuses; state it as timeZone"
}

_has_zone if {
	zone := input.review.object.spec.timeZone
	is_string(zone)
	not zone in {"", "Local"}
}
