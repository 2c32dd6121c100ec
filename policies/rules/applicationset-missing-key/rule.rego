# METADATA
# title: A template with a missing value is an error
# description: >-
#   Without missingkey=error a mistyped key becomes the text "<no value>", and the ApplicationSet creates Applications
#   with such names, paths and namespaces. Without goTemplate the placeholder stays as it is.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/
#     description: Argo CD on Go templates
# custom:
#   id: applicationset-missing-key
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: ApplicationSet}]
#   remedy: "Set goTemplate: true and goTemplateOptions: [missingkey=error]."
package cartwright.rules.applicationset_missing_key

import data.lib.report

violation contains report.at(input.review.object, ["spec", "goTemplate"], text) if {
	not input.review.object.spec.goTemplate == true
	text := "its templates are no Go templates, so a mistyped key passes; set goTemplate to true"
}

violation contains report.at(input.review.object, ["spec", "goTemplateOptions"], text) if {
	input.review.object.spec.goTemplate == true
	not _refuses_missing_keys
	text := "a mistyped key in its templates becomes \"<no value>\"; add missingkey=error to goTemplateOptions"
}

_refuses_missing_keys if "missingkey=error" in input.review.object.spec.goTemplateOptions
