# METADATA
# title: A memory limit is close to its request
# description: >-
#   A node can't take memory back. If limits are far above requests, pods that use their full limits do not fit on the
#   node where their requests placed them, and the kernel kills one of them.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
#     description: Kubernetes on requests and limits
# custom:
#   id: memory-overcommit
#   severity: warning
#   scope: object
#   kinds: pod-carrying
#   parameters:
#     factor:
#       description: Largest allowed ratio of a container's memory limit to its request.
#       type: number
#       minimum: 1
#       default: 2
#   example: {bad: sixteen-times, good: twice}
#   remedy: Raise the request to the container's peak usage, or lower the limit.
package cartwright.rules.memory_overcommit

import data.lib.quantity
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["resources", "limits", "memory"], text) if {
	some container in workload.containers(input.review.object)
	_is_far(container.spec.resources)
	text := _text(container.spec.resources)
}

violation contains report.in_pod(input.review.object, ["resources", "limits", "memory"], text) if {
	resources := workload.pod_spec(input.review.object).resources
	_is_far(resources)
	text := _text(resources)
}

_is_far(resources) if {
	requested := quantity.amount(resources.requests.memory)
	requested > 0
	quantity.amount(resources.limits.memory) > requested * input.parameters.factor
}

_text(resources) := sprintf(
	"requests %v of memory and may take %v, more than %v times that; raise the request, or lower the limit",
	[quantity.shown(resources.requests.memory), quantity.shown(resources.limits.memory), input.parameters.factor],
)
