# METADATA
# title: Containers use no port of their node
# description: >-
#   A host port is open on the node's own address, so it bypasses Services and network policies. Two pods with the same
#   host port can't run on one node.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Host Ports
# custom:
#   id: pss-host-ports
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   reads: [Namespace]
#   remedy: Remove hostPort (and hostNetwork, which makes host ports of all ports), and reach the pod through a Service.
package cartwright.rules.pss_host_ports

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["ports", index, "hostPort"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some container in workload.containers(input.review.object)
	some index, port in container.spec.ports
	value := port.hostPort
	not value in _none
	text := sprintf("hostPort is %v; remove it", [value])
}

violation contains report.in_container(input.review.object, container, ["ports", index, "containerPort"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	_ports_are_the_hosts
	some container in workload.containers(input.review.object)
	container.list in {"containers", "initContainers"}
	some index, port in container.spec.ports
	value := port.containerPort
	not value in _none
	object.get(port, "hostPort", null) in _none
	text := sprintf("port %v becomes the node's as well, for the pod is in its network; remove hostNetwork", [value])
}

_none := {null, 0}

# What the API server fills in before admission, for a Pod but not for a template: its hostPort is the containerPort.
_ports_are_the_hosts if {
	input.review.object.kind == "Pod"
	workload.pod_spec(input.review.object).hostNetwork == true
}
