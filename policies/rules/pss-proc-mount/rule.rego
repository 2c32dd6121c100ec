# METADATA
# title: Containers see a masked /proc
# description: >-
#   The runtime hides the parts of /proc that describe or change the node's kernel. Unmasked shows them. Baseline allows
#   it for a pod in its own user namespace, restricted never.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, /proc Mount Type
# custom:
#   id: pss-proc-mount
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: container, good: container}
#   reads: [Namespace]
#   remedy: Remove securityContext.procMount. At baseline a pod that needs it sets hostUsers to false.
package cartwright.rules.pss_proc_mount

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["securityContext", "procMount"], text) if {
	_binds
	some container in workload.containers(input.review.object)
	value := container.spec.securityContext.procMount
	not value in {null, "Default"}
	text := sprintf("securityContext.procMount is %v; remove it", [value])
}

_binds if pss.binds("restricted", input.review.object, input.parameters)

_binds if {
	pss.binds("baseline", input.review.object, input.parameters)
	not pss.has_user_namespace(workload.pod_spec(input.review.object))
}
