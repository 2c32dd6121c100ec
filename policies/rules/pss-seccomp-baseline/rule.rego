# METADATA
# title: Pods do not disable seccomp
# description: >-
#   Seccomp blocks system calls that programs do not need and that most container escapes begin with. Unconfined allows
#   them all.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Seccomp
# custom:
#   id: pss-seccomp-baseline
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: pod, good: nothing-said}
#   reads: [Namespace]
#   remedy: Leave seccompProfile out, or set its type to RuntimeDefault or Localhost.
package cartwright.rules.pss_seccomp_baseline

import data.lib.pss

violation contains pss.at_setting(input.review.object, setting, ["seccompProfile", "type"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some setting in pss.settings(input.review.object, "seccompProfile")
	not pss.confines(setting.value)
	text := sprintf("seccompProfile.type is %v; set it to RuntimeDefault or Localhost", [pss.type_of(setting.value)])
}
