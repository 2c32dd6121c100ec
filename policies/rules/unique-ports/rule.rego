# METADATA
# title: The containers of a pod use different ports
# description: >-
#   The containers of a pod share one network: the second to open a port fails to start. If two ports share a name, a
#   Service reaches only one of them. A port that is listed twice can't be applied server-side.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking
#     description: Kubernetes on the network of a pod
# custom:
#   id: unique-ports
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   remedy: Give each container its own port, and each port its own name.
package cartwright.rules.unique_ports

import data.lib.quantity
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["ports", index, "containerPort"], text) if {
	some position, [container, index, port] in _ports
	some earlier, [owner, _, other] in _ports
	earlier < position
	other.containerPort == port.containerPort
	_protocol(other) == _protocol(port)
	text := sprintf("has the port %v, as %s does; use another", [quantity.shown(port.containerPort), _whose(owner, container)])
}

violation contains report.in_container(input.review.object, container, ["ports", index, "name"], text) if {
	some position, [container, index, port] in _ports
	some earlier, [owner, _, other] in _ports
	earlier < position
	other.name == port.name
	not port.name in {"", null}
	text := sprintf("has a port with the name %v, as %s does; use another", [port.name, _whose(owner, container)])
}

_ports := [[container, index, port] |
	some container in workload.long_running(input.review.object)
	some index, port in container.spec.ports
]

_protocol(port) := stated if {
	stated := port.protocol
	not stated in {"", null}
} else := "TCP"

_whose(owner, container) := "one before it" if {
	owner == container
} else := sprintf("the container %v", [object.get(owner.spec, "name", owner.index)])
