# METADATA
# title: Containers cannot gain privileges
# description: >-
#   A setuid program in the image can make a process root again, whatever user the container started as, unless the
#   kernel forbids gaining privileges.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
#     description: Pod Security Standards, restricted, Privilege Escalation
# custom:
#   id: pss-privilege-escalation
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: nothing-said, good: pod}
#   reads: [Namespace]
#   remedy: Set securityContext.allowPrivilegeEscalation to false for each container.
package cartwright.rules.pss_privilege_escalation

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, _field, text) if {
	pss.binds("restricted", input.review.object, input.parameters)

	# Windows has no such flag: the API server refuses the field for its pods.
	not workload.is_windows(input.review.object)
	some container in workload.containers(input.review.object)
	object.get(container.spec, _field, null) != false
	text := "may gain privileges; set securityContext.allowPrivilegeEscalation to false"
}

_field := ["securityContext", "allowPrivilegeEscalation"]
