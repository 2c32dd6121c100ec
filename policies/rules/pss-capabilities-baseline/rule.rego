# METADATA
# title: Containers add no capability that runtimes withhold
# description: >-
#   Container runtimes leave root the capabilities that programs commonly need. The others lead out of the container:
#   SYS_ADMIN mounts, SYS_PTRACE reads other processes, NET_RAW forges packets.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Capabilities
# custom:
#   id: pss-capabilities-baseline
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
#   remedy: Remove every capability that baseline does not allow from securityContext.capabilities.add.
package cartwright.rules.pss_capabilities_baseline

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, array.concat(_add, [index]), text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some container in workload.containers(input.review.object)
	some index, capability in pss.entries(object.get(container.spec, _add, null))
	not capability in _allowed
	text := sprintf("adds the capability %v; remove it", [capability])
}

_add := ["securityContext", "capabilities", "add"]

_allowed := {
	"AUDIT_WRITE",
	"CHOWN",
	"DAC_OVERRIDE",
	"FOWNER",
	"FSETID",
	"KILL",
	"MKNOD",
	"NET_BIND_SERVICE",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYS_CHROOT",
}
