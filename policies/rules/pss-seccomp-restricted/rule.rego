# METADATA
# title: Containers run under a seccomp profile
# description: >-
#   Without a profile Kubernetes allows containers all system calls, unless the node is configured otherwise.
#   RuntimeDefault blocks those that programs do not need.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
#     description: Pod Security Standards, restricted, Seccomp
# custom:
#   id: pss-seccomp-restricted
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
#   remedy: Set securityContext.seccompProfile.type to RuntimeDefault for the pod.
package cartwright.rules.pss_seccomp_restricted

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains pss.at_setting(input.review.object, setting, ["seccompProfile", "type"], text) if {
	_binds
	some setting in pss.settings(input.review.object, "seccompProfile")
	not pss.confines(setting.value)
	text := sprintf("seccompProfile.type is %v; set it to RuntimeDefault or Localhost", [pss.type_of(setting.value)])
}

violation contains report.in_container(input.review.object, container, _field, text) if {
	_binds
	not _the_pod_has_one
	some container in workload.containers(input.review.object)
	object.get(container.spec, _field, null) == null
	text := "has no seccomp profile; set securityContext.seccompProfile.type to RuntimeDefault, for it or for the pod"
}

_the_pod_has_one if pss.confines(workload.pod_spec(input.review.object).securityContext.seccompProfile)

_field := ["securityContext", "seccompProfile"]

# Windows knows no seccomp: the API server refuses the field for its pods.
_binds if {
	pss.binds("restricted", input.review.object, input.parameters)
	not workload.is_windows(input.review.object)
}
