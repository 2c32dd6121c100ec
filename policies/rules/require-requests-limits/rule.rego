# METADATA
# title: Containers set requests and limits
# description: >-
#   The scheduler places a pod by its requests: without them nodes fill up until pods are evicted. Without limits one
#   container with a leak or a loop takes the resources of its neighbours.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
#     description: Kubernetes on requests and limits
# custom:
#   id: require-requests-limits
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   parameters:
#     requests:
#       description: Resources that must be requested.
#       type: array
#       items: {type: string}
#       default: [cpu, memory]
#     limits:
#       description: Resources that must be limited.
#       type: array
#       items: {type: string}
#       default: [cpu, memory]
#   example: {bad: no-memory-limit, good: all-four}
#   remedy: >-
#     Set resources.requests and resources.limits of each container or of the pod, with no request above its limit.
package cartwright.rules.require_requests_limits

import data.lib.quantity
import data.lib.report
import data.lib.workload

# An ephemeral container cannot have resources: the API server refuses them.
_containers contains container if {
	some container in workload.containers(input.review.object)
	container.list != "ephemeralContainers"
}

violation contains report.in_container(input.review.object, container, ["resources", side, resource], text) if {
	some container in _containers
	some side in ["requests", "limits"]
	some resource in input.parameters[side]
	text := _fault(side, resource, _stated(container, side, resource))
}

violation contains report.in_container(input.review.object, container, ["resources", "requests", resource], text) if {
	some container in _containers
	some resource, requested in container.spec.resources.requests
	limited := container.spec.resources.limits[resource]
	quantity.amount(requested) > quantity.amount(limited)
	text := sprintf("requests %v of %s but limits itself to %v; raise the limit", [requested, resource, limited])
}

violation contains report.in_pod(input.review.object, ["resources", "requests", resource], text) if {
	resources := workload.pod_spec(input.review.object).resources
	some resource, requested in resources.requests
	limited := resources.limits[resource]
	quantity.amount(requested) > quantity.amount(limited)
	text := sprintf("requests %v of %s for the pod but limits it to %v; raise the limit", [requested, resource, limited])
}

# The pod's own resources, where it has any, hold for all of its containers.
_stated(container, side, resource) := stated if {
	stated := container.spec.resources[side][resource]
	stated != null
} else := stated if {
	stated := workload.pod_spec(input.review.object).resources[side][resource]
} else := null

_nouns := {"requests": "request", "limits": "limit"}

_fault(side, resource, null) := sprintf("has no %s %s; set resources.%s.%s", [resource, _nouns[side], side, resource])

_fault(side, resource, stated) := sprintf("%s %s %v is not a quantity above 0", [resource, _nouns[side], stated]) if {
	stated != null
	not _is_positive(stated)
}

_is_positive(stated) if quantity.amount(stated) > 0
