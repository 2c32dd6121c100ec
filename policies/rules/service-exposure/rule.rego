# METADATA
# title: Services are not exposed to the outside
# description: >-
#   A NodePort opens a port on every node, and a LoadBalancer an address on the internet, both beside the monitored
#   gateway. With externalIPs, whoever may write a Service can take over traffic to any address (CVE-2020-8554).
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/
#     description: Kubernetes on Services
# custom:
#   id: service-exposure
#   severity: error
#   scope: object
#   kinds: [{group: "", kind: Service}]
#   parameters:
#     types:
#       description: Types that a Service may have.
#       type: array
#       items: {type: string, enum: [ClusterIP, ExternalName, LoadBalancer, NodePort]}
#       default: [ClusterIP]
#     exempt:
#       description: Services that may be reached from outside, as namespace/name.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9-]+/[a-z0-9.-]+$"}
#       default: []
#   remedy: >-
#     Make it a ClusterIP, and let requests in through an Ingress or a Gateway. If the Service is that entrance, add it
#     to the parameter `exempt` in environment.yaml.
package cartwright.rules.service_exposure

import data.lib.inventory
import data.lib.report

violation contains report.at(input.review.object, ["spec", "type"], text) if {
	type := _type
	not type in input.parameters.types
	not _is_exempt
	text := sprintf("is of type %v; make it one of %s and let requests in through an Ingress or a Gateway", [
		type,
		concat(", ", input.parameters.types),
	])
}

violation contains report.at(input.review.object, ["spec", "externalIPs"], text) if {
	some _ in input.review.object.spec.externalIPs
	text := "has externalIPs, with which it may take over traffic to those addresses; remove them"
}

default _type := "ClusterIP"

_type := found if {
	found := input.review.object.spec.type
	not found in [null, ""]
}

_is_exempt if {
	full_name := sprintf("%s/%s", [inventory.namespace(input.review.object), report.name(input.review.object)])
	full_name in input.parameters.exempt
}
