# METADATA
# title: Applications set the required sync options
# description: >-
#   Two Applications that own one object overwrite each other silently unless FailOnSharedResource makes that an error.
#   PruneLast keeps what the old release needs until the new one is healthy. ServerSideApply does not touch fields of
#   other controllers.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
#     description: Argo CD on sync options
# custom:
#   id: application-sync-options
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: Application}]
#   parameters:
#     options:
#       description: The options that every Application must have.
#       type: array
#       items: {type: string, minLength: 1}
#       default: [FailOnSharedResource=true, PruneLast=true, ServerSideApply=true]
#   remedy: Add the option to syncPolicy.syncOptions.
package cartwright.rules.application_sync_options

import data.lib.report

violation contains report.at(input.review.object, ["spec", "syncPolicy", "syncOptions"], text) if {
	some option in input.parameters.options
	not _has(option)
	text := sprintf("lacks the sync option %s; add it to syncPolicy.syncOptions", [option])
}

_has(option) if option in input.review.object.spec.syncPolicy.syncOptions
