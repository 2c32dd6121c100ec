# METADATA
# title: Pods request the resources that their autoscaler measures
# description: >-
#   Utilisation is usage divided by the request. If any container of a pod, sidecars included, has no request for the
#   resource, the autoscaler can't compute it and does not scale.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
#     description: Kubernetes on the HorizontalPodAutoscaler
# custom:
#   id: hpa-needs-requests
#   severity: error
#   scope: environment
#   kinds: [{group: autoscaling, kind: HorizontalPodAutoscaler}]
#   reads:
#     - LimitRange
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: >-
#     Give every container of the target a request for that resource, or measure one container with ContainerResource.
package cartwright.rules.hpa_needs_requests

import data.lib.demand
import data.lib.quantity
import data.lib.report
import data.lib.scale
import data.lib.workload

violation contains report.at(input.review.object, path, text) if {
	target := scale.target(input.review.object)
	some [path, resource, only] in _measured
	some container in workload.long_running(target)
	only in {null, container.spec.name}
	not _requests(target, container.spec, resource)
	text := sprintf(
		"measures %v by its request, but container %v of %s/%s requests none; set resources.requests.%v there",
		[resource, object.get(container.spec, "name", container.index), target.kind, report.name(target), resource],
	)
}

violation contains report.at(input.review.object, path, text) if {
	target := scale.target(input.review.object)
	some [path, resource, only] in _measured
	only != null
	count([1 | some container in workload.long_running(target); container.spec.name == only]) == 0
	text := sprintf(
		"measures %v of the container %v, which %s/%s does not have",
		[resource, only, target.kind, report.name(target)],
	)
}

# Where it says nothing, an autoscaler measures cpu.
_measured contains [["spec", "metrics"], "cpu", null] if {
	not _has_metrics
}

_measured contains [["spec", "metrics", index], metric.resource.name, null] if {
	some index, metric in input.review.object.spec.metrics
	_is_utilisation(metric.resource.target)
}

_measured contains [["spec", "metrics", index], metric.containerResource.name, metric.containerResource.container] if {
	some index, metric in input.review.object.spec.metrics
	_is_utilisation(metric.containerResource.target)
}

_has_metrics if some _ in input.review.object.spec.metrics

_is_utilisation(target) if target.type == "Utilization"

_requests(_, container, resource) if {
	some side in ["requests", "limits"]
	quantity.amount(container.resources[side][resource]) > 0
}

_requests(target, _, resource) if quantity.amount(workload.pod_spec(target).resources.requests[resource]) > 0

_requests(target, _, resource) if quantity.amount(demand.defaults(target).requests[resource]) > 0
