# METADATA
# title: Containers do not set user 0
# description: >-
#   User 0 is root on the node for whoever escapes the container. A pod in its own user namespace may use it, because
#   there user 0 has no rights on the node.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
#     description: Pod Security Standards, restricted, Running as Non-root user
# custom:
#   id: pss-run-as-user
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: pod, good: pod}
#   reads: [Namespace]
#   remedy: Remove securityContext.runAsUser, or set it to a number other than 0, for the pod and for its containers.
package cartwright.rules.pss_run_as_user

import data.lib.pss
import data.lib.workload

violation contains pss.at_setting(input.review.object, setting, ["runAsUser"], text) if {
	pss.binds("restricted", input.review.object, input.parameters)
	not pss.has_user_namespace(workload.pod_spec(input.review.object))
	some setting in pss.settings(input.review.object, "runAsUser")
	_may_be_root(setting.value)
	text := sprintf("runAsUser is %v; set it to the number of another user", [setting.value])
}

_may_be_root(0)

_may_be_root(user) if not is_number(user)
