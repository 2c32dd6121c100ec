# METADATA
# title: Applications stay inside their project
# description: >-
#   Argo CD refuses an Application that its AppProject does not allow, but only after the merge: the environment stays
#   as it was. An Application that names no project lands in the project default.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/projects/
#     description: Argo CD on projects
# custom:
#   id: application-in-project
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: Application}]
#   remedy: Name the intended AppProject, or let that project allow the repository and the destination, written out.
package cartwright.rules.application_in_project

import data.lib.argocd
import data.lib.report

violation contains report.at(input.review.object, ["spec", "project"], text) if {
	not _project
	text := sprintf("its project %v does not exist; name one that does", [_name])
}

violation contains report.at(input.review.object, ["spec", "project"], text) if {
	_name == "default"
	text := "it is in the project default, which is for no Application; give it a project of its own"
}

violation contains report.at(input.review.object, path, text) if {
	project := _project
	some found in argocd.sources(input.review.object.spec)
	repository := object.get(found.source, "repoURL", "")
	not argocd.permits_source(project, repository)
	path := array.concat(["spec"], array.concat(found.path, ["repoURL"]))
	text := sprintf("the project %s does not allow the repository %v; add it to the project's sourceRepos", [_name, repository])
}

violation contains report.at(input.review.object, ["spec", "destination"], text) if {
	project := _project
	destination := object.get(input.review.object, ["spec", "destination"], {})
	is_object(destination)
	not argocd.permits_destination(project, destination)
	text := sprintf(
		"the project %s does not allow namespace %v on cluster %v; add it to the project's destinations",
		[_name, object.get(destination, "namespace", ""), _cluster(destination)],
	)
}

_name := object.get(input.review.object, ["spec", "project"], "")

_project := argocd.project(_name)

_cluster(destination) := object.get(destination, "name", object.get(destination, "server", ""))
