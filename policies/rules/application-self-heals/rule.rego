# METADATA
# title: Applications sync, prune and self-heal automatically
# description: >-
#   Without automated sync a merge changes nothing. Without prune, objects removed from Git stay. Without selfHeal, a
#   manual change stays. With allowEmpty, an overlay that renders nothing would delete everything.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/
#     description: Argo CD on automated sync
# custom:
#   id: application-self-heals
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: Application}]
#   remedy: "Set syncPolicy.automated: {prune: true, selfHeal: true, allowEmpty: false}."
package cartwright.rules.application_self_heals

import data.lib.report

violation contains report.at(input.review.object, ["spec", "syncPolicy", "automated"], text) if {
	not _is_automated
	text := "does not sync by itself, so a merge changes nothing; add syncPolicy.automated"
}

violation contains report.at(input.review.object, ["spec", "syncPolicy", "automated", field], text) if {
	_is_automated
	some field in ["prune", "selfHeal"]
	not input.review.object.spec.syncPolicy.automated[field] == true
	text := sprintf("%s; set %s to true", [_otherwise[field], field])
}

violation contains report.at(input.review.object, ["spec", "syncPolicy", "automated", "allowEmpty"], text) if {
	input.review.object.spec.syncPolicy.automated.allowEmpty == true
	text := "an overlay that renders nothing would delete everything; set allowEmpty to false"
}

_is_automated if {
	automated := input.review.object.spec.syncPolicy.automated
	is_object(automated)
	not automated.enabled == false
}

_otherwise := {
	"prune": "what is removed from Git stays in the cluster",
	"selfHeal": "what is changed by hand stays changed",
}
