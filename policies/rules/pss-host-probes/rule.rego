# METADATA
# title: Probes and lifecycle hooks target only their pod
# description: >-
#   The kubelet sends probes from the node and so bypasses network policies. A probe with its own host uses the kubelet
#   to reach addresses that the pod may not reach.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Host Probes / Lifecycle Hooks
# custom:
#   id: pss-host-probes
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: liveness, good: liveness}
#   reads: [Namespace]
#   remedy: Remove host from httpGet and tcpSocket. The kubelet then probes the pod.
package cartwright.rules.pss_host_probes

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, path, text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some container in workload.containers(input.review.object)
	some handler in _handlers
	some action in ["httpGet", "tcpSocket"]
	path := array.concat(handler, [action, "host"])
	host := object.get(container.spec, path, null)
	not host in {null, ""}
	text := sprintf("%s is %v; remove it", [concat(".", path), host])
}

_handlers := [
	["livenessProbe"],
	["readinessProbe"],
	["startupProbe"],
	["lifecycle", "postStart"],
	["lifecycle", "preStop"],
]
