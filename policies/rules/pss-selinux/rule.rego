# METADATA
# title: Pods keep the SELinux context of containers
# description: >-
#   SELinux uses the type to keep a container from the files and processes of its node. Another type, or a custom user
#   or role, may allow everything.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, SELinux
# custom:
#   id: pss-selinux
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
#   remedy: >-
#     Remove seLinuxOptions.user and role. Remove type too, or use one of the types for containers. You may set level.
package cartwright.rules.pss_selinux

import data.lib.pss

violation contains pss.at_setting(input.review.object, setting, ["seLinuxOptions", field], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some setting in pss.settings(input.review.object, "seLinuxOptions")
	some field, allowed in _allowed
	value := setting.value[field]
	not value in allowed
	text := sprintf("seLinuxOptions.%s is %v; remove it", [field, value])
}

_allowed := {
	"role": {null, ""},
	"type": {null, "", "container_engine_t", "container_init_t", "container_kvm_t", "container_t"},
	"user": {null, ""},
}
