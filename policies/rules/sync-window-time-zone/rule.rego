# METADATA
# title: Sync windows state a time zone
# description: >-
#   A window without a time zone is in UTC: a freeze planned for midnight begins an hour or two late, and moves with
#   daylight saving.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/sync_windows/
#     description: Argo CD on sync windows
# custom:
#   id: sync-window-time-zone
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: AppProject}]
#   remedy: Set timeZone to an IANA name such as Europe/Berlin, or to UTC if you mean it.
package cartwright.rules.sync_window_time_zone

import data.lib.report

violation contains report.at(input.review.object, ["spec", "syncWindows", index, "timeZone"], text) if {
	some index, window in input.review.object.spec.syncWindows
	is_object(window)
	not _has_zone(window)
	text := sprintf(
		"the %v window at \"%v\" names no time zone, so it is in UTC; add timeZone",
		[object.get(window, "kind", ""), object.get(window, "schedule", "")],
	)
}

_has_zone(window) if {
	is_string(window.timeZone)
	window.timeZone != ""
}
