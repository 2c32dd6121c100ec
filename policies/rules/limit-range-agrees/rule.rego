# METADATA
# title: Containers keep within the LimitRange of their namespace
# description: >-
#   The API server refuses pods outside a LimitRange, but not their workload: the Deployment is accepted, and none of
#   its pods ever starts.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/policy/limit-range/
#     description: Kubernetes on limit ranges
# custom:
#   id: limit-range-agrees
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   example: {bad: above-the-maximum, good: within}
#   reads: [LimitRange]
#   remedy: Bring the container within the LimitRange of its namespace, or widen the LimitRange. Its defaults count too.
package cartwright.rules.limit_range_agrees

import data.lib.demand
import data.lib.inventory
import data.lib.quantity
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["resources", "limits", resource], text) if {
	some [container, item] in _bounded
	some resource, most in item.max
	limit := _amount(container, "limits", resource)
	limit > quantity.amount(most)
	text := sprintf("limits %s to more than %v, which the LimitRange allows at most; lower it", [resource, quantity.shown(most)])
}

violation contains report.in_container(input.review.object, container, ["resources", "requests", resource], text) if {
	some [container, item] in _bounded
	some resource, least in item.min
	request := _amount(container, "requests", resource)
	request < quantity.amount(least)
	text := sprintf("requests less %s than %v, which the LimitRange asks for at least; raise it", [resource, quantity.shown(least)])
}

violation contains report.in_container(input.review.object, container, ["resources", "limits", resource], text) if {
	some [container, item] in _bounded
	some resource, ratio in item.maxLimitRequestRatio
	request := _amount(container, "requests", resource)
	request > 0
	_amount(container, "limits", resource) / request > quantity.amount(ratio)
	text := sprintf("limits %s to more than %v times its request, which the LimitRange allows at most", [resource, ratio])
}

violation contains report.in_container(input.review.object, container, ["resources", "limits", resource], text) if {
	some [container, _] in _bounded
	some resource, request in container.spec.resources.requests
	not _has_limit(container, resource)
	filled := _defaults.limits[resource]
	quantity.amount(request) > quantity.amount(filled)
	text := sprintf(
		"requests %v of %s and states no limit, for which the LimitRange fills in %v; state a limit above the request",
		[quantity.shown(request), resource, quantity.shown(filled)],
	)
}

violation contains report.in_pod(input.review.object, ["containers"], text) if {
	some item in _items
	item.type == "Pod"
	some resource, most in item.max
	demand.of_pod(input.review.object, "limits", resource, _defaults) > quantity.amount(most)
	text := sprintf(
		"its containers limit %s to more than %v together, which the LimitRange allows at most",
		[resource, quantity.shown(most)],
	)
}

violation contains report.in_pod(input.review.object, ["containers"], text) if {
	some item in _items
	item.type == "Pod"
	some resource, least in item.min
	demand.of_pod(input.review.object, "requests", resource, _defaults) < quantity.amount(least)
	text := sprintf(
		"its containers request less %s than %v together, which the LimitRange asks for at least",
		[resource, quantity.shown(least)],
	)
}

_items := [item |
	some found in inventory.beside(input.review.object, "", "LimitRange")
	some item in found.spec.limits
]

_defaults := demand.defaults(input.review.object)

# Ephemeral containers have no resources.
_bounded := [[container, item] |
	some item in _items
	item.type == "Container"
	some container in workload.containers(input.review.object)
	container.list != "ephemeralContainers"
]

_has_limit(container, resource) if container.spec.resources.limits[resource] != null

# What a container has once the API server has filled in what it does not say.
_amount(container, side, resource) := amount if {
	amount := quantity.amount(container.spec.resources[side][resource])
} else := amount if {
	side == "requests"
	amount := quantity.amount(container.spec.resources.limits[resource])
} else := quantity.amount(_defaults[side][resource])
