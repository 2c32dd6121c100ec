# METADATA
# title: Projects name what they allow
# description: >-
#   An AppProject limits an environment: what its Applications read, where they deploy, which kinds of objects. A `*`
#   removes a limit, and nobody notices until an Application of dev deploys to prod.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/projects/
#     description: Argo CD on projects
# custom:
#   id: appproject-wildcard
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: AppProject}]
#   remedy: >-
#     List the repositories, the destinations and the kinds. If an Application needs more, Argo CD's message names what
#     is missing.
package cartwright.rules.appproject_wildcard

import data.lib.report

violation contains report.at(input.review.object, ["spec", field, index], text) if {
	some field in ["sourceRepos", "sourceNamespaces"]
	some index, value in input.review.object.spec[field]
	_is_open(value)
	text := sprintf("%s has %s, which fits everything; name what is meant", [field, value])
}

violation contains report.at(input.review.object, ["spec", "destinations", index, field], text) if {
	some index, destination in input.review.object.spec.destinations
	some field in ["name", "namespace", "server"]
	_is_open(destination[field])
	text := sprintf("a destination has %s %s, which fits every one; name it", [field, destination[field]])
}

violation contains report.at(input.review.object, ["spec", list, index, field], text) if {
	some list in ["clusterResourceWhitelist", "namespaceResourceWhitelist"]
	some index, entry in input.review.object.spec[list]
	some field in ["group", "kind"]
	_is_open(entry[field])
	text := sprintf("%s has a %s %s, which fits every one; list the kinds that are deployed", [list, field, entry[field]])
}

# Without this list every kind with a namespace is allowed; one for kinds without a namespace allows nothing by default.
violation contains report.at(input.review.object, ["spec"], text) if {
	not _lists_kinds
	text := "has no namespaceResourceWhitelist, so every kind with a namespace is allowed; list those that are deployed"
}

_lists_kinds if is_array(input.review.object.spec.namespaceResourceWhitelist)

_is_open(value) if {
	is_string(value)
	regex.match(`^([a-z]+://)?\*+(/\*+)*$`, value)
}
