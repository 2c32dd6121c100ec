# METADATA
# title: Containers get at least the resources of the upstream
# description: >-
#   A container that was tested with 512Mi and runs with 256Mi is first killed in front of customers.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
#     description: Kubernetes on requests and limits
# custom:
#   id: limits-not-below-upstream
#   severity: error
#   scope: fleet
#   kinds: pod-carrying
#   example: {bad: limit, good: more}
#   remedy: Raise the request or limit to the upstream's. Or lower it there first and check that it suffices.
package cartwright.rules.limits_not_below_upstream

import data.lib.fleet
import data.lib.quantity
import data.lib.report

violation contains report.in_container(input.review.object, pair.own, ["resources", side, name], text) if {
	some pair in fleet.containers(input.review.object, input.environment)
	some side in ["requests", "limits"]
	some name, stated in pair.other.resources[side]
	theirs := quantity.amount(stated)
	own := _stated(pair.own.spec, side, name)
	quantity.amount(own) < theirs
	text := sprintf(
		"%s.%s is %v, while %s has %v; give it no less than it was tested with",
		[side, name, own, pair.environment, stated],
	)
}

# A limit that is not stated is no limit; a request that is not stated is the limit, or nothing.
_stated(container, side, name) := container.resources[side][name]

_stated(container, "requests", name) := object.get(container, ["resources", "limits", name], 0) if {
	not _has(container, "requests", name)
}

_has(container, side, name) if container.resources[side][name] == container.resources[side][name]
