# METADATA
# title: Containers drop all capabilities
# description: >-
#   Capabilities are root's powers in pieces. A container needs none of them to serve requests. Only NET_BIND_SERVICE,
#   for ports below 1024, may be added back.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
#     description: Pod Security Standards, restricted, Capabilities
# custom:
#   id: pss-capabilities-restricted
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: nothing-dropped, good: drop-all}
#   reads: [Namespace]
#   remedy: Set securityContext.capabilities.drop to [ALL] for each container, and add at most NET_BIND_SERVICE.
package cartwright.rules.pss_capabilities_restricted

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, _drop, text) if {
	_binds
	some container in workload.containers(input.review.object)
	not _drops_all(container)
	text := "keeps capabilities; set securityContext.capabilities.drop to [ALL]"
}

violation contains report.in_container(input.review.object, container, array.concat(_add, [index]), text) if {
	_binds
	some container in workload.containers(input.review.object)
	some index, capability in pss.entries(object.get(container.spec, _add, null))
	capability != "NET_BIND_SERVICE"
	text := sprintf("adds the capability %v; only NET_BIND_SERVICE may be added", [capability])
}

_drop := ["securityContext", "capabilities", "drop"]

_add := ["securityContext", "capabilities", "add"]

_drops_all(container) if "ALL" in container.spec.securityContext.capabilities.drop

# Capabilities belong to Linux: the API server refuses them for Windows pods.
_binds if {
	pss.binds("restricted", input.review.object, input.parameters)
	not workload.is_windows(input.review.object)
}
