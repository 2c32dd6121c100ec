# METADATA
# title: Applications name their cluster
# description: >-
#   The address of a cluster changes when the cluster is rebuilt, and tells a reader nothing. With both an address and a
#   name Argo CD refuses the Application. A cluster is registered once, under its name.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/
#     description: Argo CD on an Application's destination
# custom:
#   id: application-destination-named
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: Application}]
#   remedy: Replace destination.server with destination.name, the name under which the cluster is registered.
package cartwright.rules.application_destination_named

import data.lib.report

violation contains report.at(input.review.object, ["spec", "destination"], text) if {
	not _is_named
	text := "its destination names no cluster; set destination.name to the name that the cluster is registered under"
}

violation contains report.at(input.review.object, ["spec", "destination", "server"], text) if {
	_is_named
	server := input.review.object.spec.destination.server
	not server in {"", null}
	text := sprintf("its destination has the address %v beside the name, which Argo CD refuses; remove server", [server])
}

_is_named if {
	name := input.review.object.spec.destination.name
	is_string(name)
	name != ""
}
