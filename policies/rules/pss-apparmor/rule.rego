# METADATA
# title: Containers keep an AppArmor profile
# description: >-
#   On nodes with AppArmor the runtime's profile keeps a container from mounting, from writing to /proc and /sys, and
#   from tracing others. Unconfined takes that away.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, AppArmor
# custom:
#   id: pss-apparmor
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
#   remedy: Leave appArmorProfile out, or set its type to RuntimeDefault or Localhost; move annotations to that field.
package cartwright.rules.pss_apparmor

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains pss.at_setting(input.review.object, setting, ["appArmorProfile", "type"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some setting in pss.settings(input.review.object, "appArmorProfile")
	not pss.confines(setting.value)
	text := sprintf("appArmorProfile.type is %v; set it to RuntimeDefault or Localhost", [pss.type_of(setting.value)])
}

violation contains report.at(input.review.object, path, text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some annotation, profile in workload.pod_annotations(input.review.object)
	startswith(annotation, "container.apparmor.security.beta.kubernetes.io/")
	not _is_allowed(profile)
	path := array.concat(workload.annotations_path(input.review.object), [annotation])
	text := sprintf("annotation %s is %v; remove it", [annotation, profile])
}

_is_allowed(profile) if profile in {null, "", "runtime/default"}

_is_allowed(profile) if {
	is_string(profile)
	startswith(profile, "localhost/")
}
