# METADATA
# title: A Service's targetPort exists in its pods
# description: >-
#   Requests to a targetPort that no container declares fail: by name the Service has no endpoint, by number connections
#   are refused.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/
#     description: Kubernetes on Services
# custom:
#   id: service-target-port
#   severity: error
#   scope: environment
#   kinds: [{group: "", kind: Service}]
#   example: {bad: number, good: number}
#   reads: [pod-carrying, Alertmanager.monitoring.coreos.com, Prometheus.monitoring.coreos.com]
#   remedy: Set targetPort to the container's port, and declare that port in the container with the same protocol.
package cartwright.rules.service_target_port

import data.lib.pods
import data.lib.report

violation contains report.at(input.review.object, ["spec", "ports", index, "targetPort"], text) if {
	selector := input.review.object.spec.selector
	not selector in [null, {}]
	selected := pods.selected(input.review.object, {"matchLabels": selector})
	count(selected) > 0
	some index, port in input.review.object.spec.ports
	is_object(port)
	target := _target(port)
	protocol := _protocol(port)
	not _leads_somewhere(selected, target, protocol)
	text := sprintf("leads to port %v (%v), which no container of its pods declares; name one that they have", [
		target,
		protocol,
	])
}

_target(port) := found if {
	found := port.targetPort
	not found in [null, 0, ""]
} else := object.get(port, "port", 0)

_protocol(port) := found if {
	found := port.protocol
	found != null
} else := "TCP"

_leads_somewhere(selected, target, protocol) if {
	some pod in selected
	some port in pod.ports
	port.protocol == protocol
	target in [port.name, port.number]
}

# Declaring a port is optional: where a pod declares none, a number may well be right.
_leads_somewhere(selected, target, _) if {
	is_number(target)
	some pod in selected
	count(pod.ports) == 0
}
