# METADATA
# title: Windows containers run inside their pod
# description: >-
#   A HostProcess container is a process of the Windows node itself, with its network, its files and the rights of its
#   user.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, HostProcess
# custom:
#   id: pss-windows-host-process
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
#   remedy: Remove windowsOptions.hostProcess from the security contexts of the pod and of its containers.
package cartwright.rules.pss_windows_host_process

import data.lib.pss

violation contains pss.at_setting(input.review.object, setting, ["windowsOptions", "hostProcess"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some setting in pss.settings(input.review.object, "windowsOptions")
	value := setting.value.hostProcess
	not value in {null, false}
	text := sprintf("windowsOptions.hostProcess is %v; remove it", [value])
}
