# METADATA
# title: Containers do not run as root
# description: >-
#   A process that escapes its container as root is root on the node. With runAsNonRoot the kubelet refuses to start a
#   container as user 0, whatever its image says.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
#     description: Pod Security Standards, restricted, Running as Non-root
# custom:
#   id: pss-run-as-non-root
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: nothing-said, good: pod-level}
#   reads: [Namespace]
#   remedy: Set securityContext.runAsNonRoot to true for the pod, and never to false.
package cartwright.rules.pss_run_as_non_root

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, _field, "runAsNonRoot is false for the pod; set it to true") if {
	_binds
	_pod_spec.securityContext.runAsNonRoot == false
}

violation contains report.in_container(input.review.object, container, _field, text) if {
	_binds
	some container in workload.containers(input.review.object)
	text := _fault(object.get(container.spec, _field, null))
}

_field := ["securityContext", "runAsNonRoot"]

_pod_spec := workload.pod_spec(input.review.object)

_binds if {
	pss.binds("restricted", input.review.object, input.parameters)
	not pss.has_user_namespace(_pod_spec)
}

_pod_runs_as_non_root if _pod_spec.securityContext.runAsNonRoot == true

_fault(null) := "may run as root; set securityContext.runAsNonRoot to true, for it or for the pod" if {
	not _pod_runs_as_non_root
}

_fault(value) := sprintf("runAsNonRoot is %v; set it to true", [value]) if not value in {null, true}
