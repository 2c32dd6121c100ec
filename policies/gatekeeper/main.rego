# METADATA
# title: The rules under Gatekeeper
# description: >-
#   What `cartwright policy build` puts before the rules in the one ConstraintTemplate. Each constraint names its rule in
#   `input.parameters.cartwright`, together with what holds for the cluster alone:
#     rule         id of the rule; the generated `lib.dispatch` asks it
#     waivers      list of {apiVersion, kind, namespace, name, message}: findings that somebody decided to live with
#     clusterWide  labels of the cluster-wide objects to judge. Others are the cluster's own, not this repository's:
#                  without labels all are judged.
#     owners       true to leave out of the audit what a controller made: its owner is judged, and counts once. Who
#                  asks for admission names an operation, the audit names none.
package cartwright

import data.lib.dispatch
import data.lib.inventory

violation contains result if {
	_is_judged(input.review.object)
	not _repeats_its_owner(input.review.object)
	some result in dispatch.violation
	not _is_waived(input.review.object, result.msg)
}

_is_judged(resource) if inventory.namespace(resource) != ""

_is_judged(resource) if {
	labels := object.get(resource, ["metadata", "labels"], {})
	every key, value in object.get(input.parameters.cartwright, "clusterWide", {}) {
		labels[key] == value
	}
}

# Namespaces are cluster-wide, but named one by one in the constraint.
_is_judged(resource) if {
	resource.kind == "Namespace"
	resource.apiVersion == "v1"
}

_repeats_its_owner(resource) if {
	input.parameters.cartwright.owners
	object.get(input.review, "operation", "") == ""
	some owner in resource.metadata.ownerReferences
	owner.controller == true
}

_is_waived(resource, message) if {
	some waiver in input.parameters.cartwright.waivers
	waiver.kind == resource.kind
	waiver.name == resource.metadata.name
	waiver.namespace == inventory.namespace(resource)
	waiver.apiVersion == resource.apiVersion
	contains(message, waiver.message)
}
