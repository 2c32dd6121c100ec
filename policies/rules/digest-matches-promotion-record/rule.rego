# METADATA
# title: Digests change only by promotion
# description: >-
#   Git's history records what ran where, since when, and who allowed it: the newest commit that changed an overlay's
#   digest says so in its trailers (Promoted-To this environment, App, Digest). A digest edited by hand passed no gate.
#   The record begins with the first digest that an overlay pinned. Rollbacks and break-glass count as promotions.
# related_resources:
#   - ref: https://git-scm.com/docs/git-interpret-trailers
#     description: Git on trailers
# custom:
#   id: digest-matches-promotion-record
#   severity: warning
#   scope: fleet
#   kinds: pod-carrying
#   parameters:
#     since:
#       description: >-
#         When promotions began in this repository, in UTC (`2026-11-21T08:00:00Z`): what older commits pinned is taken as
#         it is. Without it all of the history counts.
#       type: string
#       pattern: "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$"
#       default: ""
#   example: {bad: by-hand, good: promotion}
#   remedy: >-
#     Undo the edit and promote the same digest with `cartwright promote`.
package cartwright.rules.digest_matches_promotion_record

import data.lib.fleet
import data.lib.image
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	some [container, parts, entries] in _recorded
	every entry in entries {
		entry.digest != parts.digest
	}
	some entry in entries
	text := sprintf(
		"%s is not what the record of %s says, which is %s (commit %s); commit it with `cartwright promote`",
		[parts.digest, input.environment, entry.digest, entry.commit],
	)
}

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	some [container, parts, entries] in _recorded
	some entry in entries
	entry.digest == parts.digest
	entry.origin == "hand"
	entry.time >= input.parameters.since
	text := sprintf(
		"commit %s pinned %s for %s by hand, past every gate; promote it instead",
		[entry.commit, parts.digest, entry.app],
	)
}

# Containers whose image some overlay pins, with the entries of all that do. The first environment gets releases from
# builds: nothing is promoted there.
_recorded := [[container, parts, entries] |
	count(fleet.upstreams(input.environment)) > 0
	some container in workload.containers(input.review.object)
	parts := image.parse(container.spec.image)
	parts.digest != ""
	entries := data.fleet.facts.record[input.environment][sprintf("%s/%s", [parts.registry, parts.repository])]
]
