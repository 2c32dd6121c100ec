# METADATA
# title: Probes and hooks use a port of their container
# description: >-
#   A port name is looked up among the container's own ports, not those of other containers. An unknown name counts as a
#   failed probe: the pod never becomes ready, or restarts for ever.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
#     description: Kubernetes on probes
# custom:
#   id: probe-port-resolves
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   remedy: Name a port of the same container, or write its number.
package cartwright.rules.probe_port_resolves

import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, array.concat(path, ["port"]), text) if {
	some container in workload.containers(input.review.object)
	some [path, action] in _actions(container.spec)
	name := object.get(action, "port", null)
	not _is_port(container.spec, name)
	text := sprintf("its %s asks the port %v, which it does not have; name it in its ports, or write a number", [path[0], name])
}

_actions(spec) := [[[field, action], asked] |
	some field in ["startupProbe", "readinessProbe", "livenessProbe"]
	some action in ["httpGet", "tcpSocket", "grpc"]
	asked := spec[field][action]
	is_object(asked)
]

_is_port(_, number) if {
	is_number(number)
	number >= 1
	number <= 65535
}

_is_port(spec, name) if {
	some port in spec.ports
	port.name == name
	is_string(name)
}
