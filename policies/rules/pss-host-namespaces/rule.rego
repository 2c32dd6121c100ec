# METADATA
# title: Pods do not share the namespaces of their node
# description: >-
#   With hostNetwork a pod reaches services on the node's localhost and bypasses network policies. With hostPID it can
#   read secrets of the node's processes and signal them. With hostIPC it can read their shared memory.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Host Namespaces
# custom:
#   id: pss-host-namespaces
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
#   remedy: Remove hostNetwork, hostPID and hostIPC from the pod.
package cartwright.rules.pss_host_namespaces

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, [field], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some field in {"hostIPC", "hostNetwork", "hostPID"}
	value := workload.pod_spec(input.review.object)[field]
	not value in {null, false}
	text := sprintf("%s is %v; remove it", [field, value])
}
