# METADATA
# title: The project default allows nothing
# description: >-
#   Argo CD creates the project default itself, open to every repository and every cluster. An Application that names no
#   project lands there. A locked default project refuses it.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/projects/#the-default-project
#     description: Argo CD on the project default
# custom:
#   id: default-project-locked
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: AppProject}]
#   remedy: Empty sourceRepos and destinations of the project default, and give every Application its own project.
package cartwright.rules.default_project_locked

import data.lib.report

violation contains report.at(input.review.object, ["spec", field], text) if {
	input.review.object.metadata.name == "default"
	some field in ["destinations", "sourceRepos"]
	is_array(input.review.object.spec[field])
	count(input.review.object.spec[field]) > 0
	text := sprintf("%s of the project default has entries; empty it, and give every Application its own project", [field])
}
